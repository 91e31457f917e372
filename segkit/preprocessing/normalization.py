"""Mean and standard deviation of the slices that a network is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError


def measure_normalization(
    slices: Sequence[tuple[Any, Iterable[int]]], progress: Callable[[int, int], None] | None = None
) -> tuple[float, float]:
    """Return mean and standard deviation over chosen slices of one or several volumes.

    One pass, a slice in memory at a time; sums are kept about the mean (Chan's update), in float64.

    Args:
        slices: Pairs of an array ``(z, y, x)`` and the indices of its slices to take.
        progress: Called as ``progress(done, total)`` after each slice.

    Returns:
        ``(mean, std)`` in grey values.

    Raises:
        InputError: If a voxel is NaN or infinite, or all voxels are equal.
    """
    todo = [(array, z) for array, indices in slices for z in indices]
    count, mean, spread = 0, 0.0, 0.0
    for done, (array, z) in enumerate(todo, start=1):
        voxels = np.asarray(array[z])
        part_mean = float(voxels.mean(dtype=np.float64))
        if not np.isfinite(part_mean):
            raise InputError(f"slice {z} holds NaN or infinite voxels; replace them (by the mean, say) first")
        # Sum of squared deviations from the mean of the slice.
        part_spread = float(voxels.var(dtype=np.float64)) * voxels.size
        delta, total = part_mean - mean, count + voxels.size
        mean += delta * voxels.size / total
        spread += part_spread + delta**2 * count * voxels.size / total
        count = total
        if progress:
            progress(done, len(todo))
    std = float(np.sqrt(spread / count)) if count else 0.0
    if not std > 0:
        raise InputError(f"all voxels of the training slices equal {mean:g}: there is nothing to learn from")
    return mean, std
