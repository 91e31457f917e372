"""How large a tile may be for a process to stay within a bound of memory."""

from __future__ import annotations

import functools

from segkit.errors import InputError
from segkit.process_memory import free_bytes, resident_bytes

# Measured with SegET, TensorFlow 2.21 on two CPU cores, peak resident memory less what was resident before:
# 950 to 1080 byte/px in float32 and 420 to 600 in bfloat16 (slices of 512, 1024 and 2048 px a side, first
# runs to third), where 512 and 256 byte/px of arrays are alive at a time. The rest is the allocator, which
# keeps and fragments what it has had, and the scratch memory of the convolutions.
_ALLOCATED_PER_LIVE = 2.2
_UNTRACED_BYTES_PER_PX = 1200.0
_RUNTIME_BYTES = 192 * 2**20  # tracing, the kernels' own tables and packed weights
_MODEL_BYTES = 96 * 2**20  # the trace of one more model
_RSS_STEP = 64 * 2**20


@functools.cache
def held_bytes() -> int:
    """Return what this process held when a prediction first asked [byte].

    What networks have taken since stays with TensorFlow's allocator, which gives it to the next network:
    counting it would make a second prediction in one process believe that nothing is left.
    """
    # In steps, so that equal runs cut slices alike.
    return -(-resident_bytes() // _RSS_STEP) * _RSS_STEP


def tile_budget_px(
    max_ram: int | None,
    *,
    live_bytes_per_px: float | None,
    slice_bytes: int,
    smallest_px: int,
    num_models: int = 1,
    has_halo: bool = True,
) -> int:
    """Return how many pixels the network may be given at a time.

    Args:
        max_ram: Bound on the memory of the whole process [byte]; ``None`` for half of what is free.
        live_bytes_per_px: The network's cost, as ``segkit.inference.live_bytes`` finds it; ``None`` where
            unknown.
        slice_bytes: Memory for slices and results outside the network [byte].
        smallest_px: The smallest tile that would do.
        num_models: Number of models that are going to be traced in this process.
        has_halo: The smallest tile is one because of its halo, which a user may make smaller.

    Returns:
        Number of pixels, at least ``smallest_px``.

    Raises:
        InputError: If the bound is too small for the smallest tile.
    """
    per_px = _ALLOCATED_PER_LIVE * live_bytes_per_px if live_bytes_per_px else _UNTRACED_BYTES_PER_PX
    per_px += 12  # the batch, its copy on the device, the result
    # What is held already, and what does not depend on the size of the tile.
    held = held_bytes()
    fixed = held + _RUNTIME_BYTES + (num_models - 1) * _MODEL_BYTES + slice_bytes
    bound = held + free_bytes() // 2 if max_ram is None else max_ram
    budget = int((bound - fixed) / per_px)
    if budget < smallest_px:
        needed = fixed + smallest_px * per_px
        smaller = " or give a smaller halo (--halo), which is no longer exact" if has_halo else ""
        raise InputError(
            f"memory bound of {bound / 2**30:.2f} GiB: the smallest tile needs {needed / 2**30:.2f} GiB in "
            f"all; allow more memory (--max-ram){smaller}"
        )
    return budget
