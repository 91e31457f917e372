"""From maps of probability on disk to objects: at once where they fit into memory, else block by block."""

from __future__ import annotations

import logging
import math
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.instances.blockwise import segment_blockwise
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.segment_instances import segment_instances
from segkit.process_memory import free_bytes, resident_bytes
from segkit.volumes.lazy_volume import LazyVolume, slice_stack

_log = logging.getLogger(__name__)

# Peak resident memory less what was resident before, for a volume of 32 x 768 x 768 voxels: 20 byte/voxel for
# components, 50 for the distance and 28 for the centre watershed.
_BYTES_PER_VOXEL = 64
# Files of `segment_blockwise`: seeds, flooded and filled of int64, and labels of at most uint32.
_DISK_BYTES_PER_VOXEL = 28
_BLOCK_SHARE = 0.5  # of the bound, for a block with its surroundings


def objects_from_maps(
    read_slice: Callable[[int], np.ndarray],
    shape: tuple[int, int, int],
    settings: InstanceSettings,
    folder: pathlib.Path,
    *,
    voxel_size: Sequence[float],
    max_ram: int | None = None,
) -> np.ndarray:
    """Give every object an id.

    Args:
        read_slice: Called with an index along z; returns the probability of the slice, ``(y, x)``, or with the heatmap
            of centres behind it ``(y, x, 2)``.
        shape: Extent along ``(z, y, x)`` [voxels].
        settings: How objects are separated.
        folder: Where files of a volume that does not fit go; made if it is missing.
        voxel_size: Extent of a voxel along ``(z, y, x)``, in the unit of the settings' distances.
        max_ram: Bound on the memory of the whole process [byte]; ``None`` for half of what is free. Where the smallest
            block needs more, that much is taken and a warning says so: the network's work is not thrown away.

    Returns:
        Ids as ``segment_instances`` gives them, mapped from a file in the folder where the volume does not fit.

    Raises:
        InputError: If the volume does not fit into memory, and not onto the disk either.
    """
    has_heatmap = settings.method == "centers"
    maps = [_channel(read_slice, shape, k) for k in range(2 if has_heatmap else 1)]
    budget = free_bytes() // 2 if max_ram is None else max(max_ram - resident_bytes(), 0)
    if math.prod(shape) * _BYTES_PER_VOXEL <= budget:
        whole = [np.stack([part[z] for z in range(shape[0])]) for part in maps]
        return segment_instances(whole[0], settings, voxel_size=voxel_size, heatmap=whole[1] if has_heatmap else None)
    halo = halo_of(settings, voxel_size)
    block_shape = fitting_block(shape, halo, int(budget * _BLOCK_SHARE) // _BYTES_PER_VOXEL)
    _tell(settings, shape, block_shape, halo, budget)
    # Refuse before the work starts; the folder does not exist yet, so its parent is asked.
    needed, room = math.prod(shape) * _DISK_BYTES_PER_VOXEL, shutil.disk_usage(folder.parent).free
    if needed > room:
        raise InputError(
            f"{folder}: {room / 2**30:.1f} GiB free, but separating the objects of this volume in blocks takes "
            f"{needed / 2**30:.1f} GiB; free some space there, or allow more memory (--max-ram)"
        )
    folder.mkdir(exist_ok=True)
    return segment_blockwise(
        maps[0],
        settings,
        folder,
        block_shape=block_shape,
        halo=halo,
        voxel_size=voxel_size,
        heatmap=maps[1] if has_heatmap else None,
    )


def _tell(
    settings: InstanceSettings, shape: Sequence[int], block_shape: Sequence[int], halo: Sequence[int], budget: int
) -> None:
    """Log how a volume that does not fit is cut, and warn where even its parts do not."""
    if settings.slice_wise:
        _log.info("objects are separated slice by slice on disk: the volume does not fit into memory at once")
        part = math.prod(shape[1:])
    else:
        _log.info(
            "objects are separated in blocks of %s voxels with %s around them (z, y, x): the volume does not fit into "
            "memory at once",
            *(" x ".join(map(str, extent)) for extent in (block_shape, halo)),
        )
        # A block with its halo, clipped where it is larger than the volume.
        part = math.prod(min(b + 2 * h, s) for b, h, s in zip(block_shape, halo, shape, strict=True))
    if part * _BYTES_PER_VOXEL > budget:
        _log.warning(
            "separating objects takes up to %.2f GiB, but the memory bound leaves %.2f GiB; raise the bound "
            "(--max-ram) if the machine has more",
            part * _BYTES_PER_VOXEL / 2**30,
            budget / 2**30,
        )


def halo_of(settings: InstanceSettings, voxel_size: Sequence[float]) -> tuple[int, ...]:
    """Return what must be looked at around a block: about an object, as seeds lie half its size apart [voxels]."""
    reach = 4 * settings.seed_distance + 4 * settings.smoothing
    return tuple(math.ceil(reach / extent) for extent in voxel_size)


def fitting_block(shape: Sequence[int], halo: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the extent of blocks that with their surroundings have at most a number of voxels, where possible.

    The axis that is longest compared with its halo is halved until they fit; a block that is no longer than its halo is
    not cut further.
    """
    block = list(shape)
    while math.prod(min(b + 2 * h, s) for b, h, s in zip(block, halo, shape, strict=True)) > most:
        # One more than the halo: it may be 0.
        ratios = [b / (h + 1) for b, h in zip(block, halo, strict=True)]
        axis = int(np.argmax(ratios))
        if ratios[axis] <= 1:
            break
        # Rounded up, so that two halves cover what is halved.
        block[axis] = max(-(-block[axis] // 2), 1)
    return tuple(block)


def _channel(read_slice: Callable[[int], np.ndarray], shape: tuple[int, int, int], channel: int) -> LazyVolume:
    def read(z: int) -> Any:
        values = read_slice(z)
        return values if values.ndim == 2 else values[..., channel]

    return slice_stack(read, shape, np.dtype(np.float32))
