"""Range, mean and spread of a volume, slice by slice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from segkit.volumes.volume import ArrayLike3D


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelStatistics:
    """Statistics over all finite voxels; ``nan`` where there is none.

    Args:
        minimum: Smallest value; exact.
        maximum: Largest value; exact.
        mean: Mean, summed in double precision.
        std: Standard deviation of the population, in double precision.
        num_nan: Voxels that are no number.
        num_infinite: Infinite voxels.
        first_not_finite: First slice with one of either, ``None`` where all voxels are finite.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    num_nan: int = 0
    num_infinite: int = 0
    first_not_finite: int | None = None


def voxel_statistics(array: ArrayLike3D, *, progress: Callable[[int, int], None] | None = None) -> VoxelStatistics:
    """Measure every voxel of a volume, holding one slice at a time.

    Means and squared deviations of the slices are merged pairwise (Chan, Golub and LeVeque 1979,
    Updating formulae and a pairwise algorithm for computing sample variances), which stays accurate where a
    sum of squares would cancel.

    Args:
        array: The voxels (z, y, x).
        progress: Called as ``progress(done, total)`` with the number of slices.

    Returns:
        The statistics.
    """
    low, high, count, mean, deviation = math.inf, -math.inf, 0, 0.0, 0.0
    nan, infinite, first = 0, 0, None
    for z in range(array.shape[0]):
        values = np.asarray(array[z])
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            if not finite.all():
                num_nan = int(np.isnan(values).sum())
                nan, infinite = nan + num_nan, infinite + int(values.size - finite.sum()) - num_nan
                first = z if first is None else first
                values = values[finite]
        if values.size:
            low, high = min(low, values.min().item()), max(high, values.max().item())
            # In double precision: a python float would leave the difference in the type of the voxels.
            slice_mean = float(values.mean(dtype=np.float64))
            # `deviation` is the sum of squared deviations from `mean` over the `count` voxels so far.
            centred = values.astype(np.float64) - slice_mean
            step, total = slice_mean - mean, count + values.size
            deviation += float(np.vdot(centred, centred)) + step * step * count * values.size / total
            mean += step * values.size / total
            count = total
        if progress is not None:
            progress(z + 1, array.shape[0])
    if not count:
        low = high = mean = deviation = math.nan
    return VoxelStatistics(
        minimum=low,
        maximum=high,
        mean=mean,
        std=math.sqrt(deviation / count) if count else math.nan,
        num_nan=nan,
        num_infinite=infinite,
        first_not_finite=first,
    )
