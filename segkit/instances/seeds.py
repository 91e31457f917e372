"""One seed for every object: peaks of a map that are far enough from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.measure import label


def peak_seeds(heights: np.ndarray, *, distance: float, voxel_size: Sequence[float], above: float = 0.0) -> np.ndarray:
    """Mark the peaks of a map: places that nothing within a box around them exceeds.

    Args:
        heights: The map, such as a distance from the background or a heatmap of centres, ``(z, y, x)`` or ``(y, x)``.
        distance: Half the side of the box, not negative [unit of ``voxel_size``]; at least to the next voxel.
        voxel_size: Extent of a voxel along each axis, positive [any unit].
        above: Peaks are higher than this.

    Returns:
        Ids from 1 on, int32, 0 elsewhere; peaks in each other's box, which are of one height, are one, in a chain too.

    Raises:
        ValueError: If ``voxel_size`` is not one positive number per axis, or ``distance`` is negative.
    """
    is_peak = find_peaks(heights, distance=distance, voxel_size=voxel_size, above=above)
    grown = grown_peaks(is_peak, distance=distance, voxel_size=voxel_size)
    # Growing ties peaks of one plateau together; only the peaks themselves are seeds.
    return np.where(is_peak, label(grown, connectivity=heights.ndim), 0).astype(np.int32)


def split_seeds(seeds: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Give the parts of a seed that are in separate pieces of a mask one id per piece: parts that do not touch are not
    one object.

    Args:
        seeds: What ``peak_seeds`` returns.
        pieces: Connected components of the mask, same shape, 0 outside; seeds there are left out.

    Returns:
        Ids from 1 on in the order of their first voxels, int32, 0 elsewhere.

    Example:
        >>> split_seeds(np.array([[1, 0, 1, 2, 2]]), np.array([[4, 0, 7, 7, 0]]))
        array([[1, 0, 2, 3, 0]], dtype=int32)
    """
    places = np.flatnonzero((seeds > 0) & (pieces > 0))
    # One integer per pair (seed, piece).
    _, first, members = np.unique(
        seeds.ravel()[places].astype(np.int64) * (int(pieces.max(initial=0)) + 1) + pieces.ravel()[places],
        return_index=True,
        return_inverse=True,
    )
    split = np.zeros(seeds.shape, np.int32)
    split.flat[places] = order_of(first)[members]
    return split


def order_of(first: np.ndarray) -> np.ndarray:
    """Return the number that everything gets, from 1 on, where the one that begins first is the first.

    Args:
        first: Where each begins, all of them different.
    """
    # The inverse of a sorting permutation is the rank.
    return np.argsort(np.argsort(first)) + 1


def find_peaks(heights: np.ndarray, *, distance: float, voxel_size: Sequence[float], above: float = 0.0) -> np.ndarray:
    """Return where a map is higher than ``above`` and nothing in the box around exceeds it, bool.

    Args:
        heights: As ``peak_seeds`` takes them.
        distance: See there.
        voxel_size: See there.
        above: See there.

    Raises:
        ValueError: As ``peak_seeds`` does.
    """
    if len(voxel_size) != heights.ndim or not all(extent > 0 for extent in voxel_size):
        raise ValueError(f"`voxel_size` must be {heights.ndim} positive numbers. Received: {tuple(voxel_size)!r}")
    if distance < 0:
        raise ValueError(f"`distance` must not be negative. Received: distance={distance!r}")
    box = [2 * half + 1 for half in _half_box(distance, voxel_size)]
    # The filter copies values, so they compare exactly; "nearest" repeats the border and adds no higher ones.
    return (heights > above) & (heights == ndimage.maximum_filter(heights, size=box, mode="nearest"))


def grown_peaks(is_peak: np.ndarray, *, distance: float, voxel_size: Sequence[float]) -> np.ndarray:
    """Grow peaks so far that two of them touch, diagonally too, if and only if they lie in each other's box.

    Args:
        is_peak: What ``find_peaks`` returns.
        distance: As it was given there.
        voxel_size: Likewise.

    Returns:
        bool, of the same shape.
    """
    # A box as long as half of the peaks' from one end to the other: the sum of both is the distance that counts.
    return ndimage.maximum_filter(is_peak, size=_half_box(distance, voxel_size), mode="constant")


def _half_box(distance: float, voxel_size: Sequence[float]) -> list[int]:
    return [max(1, round(distance / extent)) for extent in voxel_size]
