"""From the probability of cells to cells with ids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from segkit.instances.fill_holes import fill_holes
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.join_slices import join_slices
from segkit.instances.renumber import renumbered
from segkit.instances.saddles import find_saddles, join_shallow, peaks_of
from segkit.instances.seeds import peak_seeds, split_seeds


def segment_instances(
    probability: np.ndarray,
    settings: InstanceSettings,
    *,
    voxel_size: Sequence[float] = (1.0, 1.0, 1.0),
    heatmap: np.ndarray | None = None,
) -> np.ndarray:
    """Give every object of a volume an id.

    Args:
        probability: Probability of objects, ``(z, y, x)``; a mask of 0 and 1 will do.
        settings: How they are separated.
        voxel_size: Extent of a voxel along ``(z, y, x)``, positive, in the unit of the settings' distances.
        heatmap: Heatmap of centres, same shape, for the method ``"centers"``.

    Returns:
        Ids from 1 on without gaps, 0 for background, of the smallest type that holds them, ``(z, y, x)``.

    Raises:
        ValueError: If the heatmap is missing where it is needed, shapes do not fit, or an extent is not positive.
    """
    check_voxel_size(voxel_size)
    if probability.ndim != 3 or (heatmap is not None and heatmap.shape != probability.shape):
        raise ValueError(f"`probability` and `heatmap` must be (z, y, x). Received: {probability.shape}")
    if settings.method == "centers" and heatmap is None:
        raise ValueError("`heatmap` must be given for the method 'centers'")
    mask = probability > settings.threshold
    if settings.slice_wise:
        parts = [
            separate(mask[z], settings, voxel_size[1:], None if heatmap is None else heatmap[z])
            for z in range(len(mask))
        ]
        # `min_iou` 0 joins whatever overlaps at all; `join_slices` needs a positive bound.
        labels = join_slices(np.stack(parts), min_iou=max(settings.min_iou, np.finfo(float).tiny))
    else:
        labels = separate(mask, settings, voxel_size, heatmap)
    if settings.fill:
        is_flat = settings.slice_wise or len(labels) == 1  # in 3-D every hole of a single slice would be open
        labels = np.stack([fill_holes(part) for part in labels]) if is_flat else fill_holes(labels)
    return renumbered(labels, keep=np.flatnonzero(np.bincount(labels.ravel()) >= max(1, settings.min_size)))


def separate(
    mask: np.ndarray, settings: InstanceSettings, voxel_size: Sequence[float], heatmap: np.ndarray | None
) -> np.ndarray:
    """Give the objects of a mask ids, int32."""
    if settings.method == "components":
        return label(mask, connectivity=1).astype(np.int32)
    heights, above = seed_heights(mask, settings, voxel_size, heatmap)
    seeds = peak_seeds(heights, distance=settings.seed_distance, voxel_size=voxel_size, above=above)
    pieces = label(mask, connectivity=1).astype(np.int32)
    # Peaks within one box may lie in separate pieces of the mask.
    seeds = split_seeds(seeds, pieces)
    # Negative heights: the watershed floods from minima.
    found = watershed(-heights, seeds, mask=mask, connectivity=1)
    # Undo cuts where the object hardly narrows between two seeds. A heatmap's heights are no widths.
    if settings.method == "distance" and settings.min_depth:
        peaks = peaks_of(found, heights, int(found.max(initial=0)))
        found = join_shallow(peaks, *find_saddles(found, heights), min_depth=settings.min_depth)[found]
    pieces[found > 0] = 0  # what is left of them is without a seed, and an object too
    return np.where(pieces > 0, pieces + found.max(initial=0), found).astype(np.int32)


def check_voxel_size(voxel_size: Sequence[float]) -> None:
    """Refuse an extent of voxels that is not three positive numbers.

    Raises:
        ValueError: If it is not.
    """
    if len(voxel_size) != 3 or not all(0 < extent < math.inf for extent in voxel_size):
        raise ValueError(f"`voxel_size` must be three positive numbers. Received: {tuple(voxel_size)!r}")


def seed_heights(
    mask: np.ndarray, settings: InstanceSettings, voxel_size: Sequence[float], heatmap: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Return the map whose peaks are seeds, and the height that they exceed; for the methods with a watershed."""
    if settings.method == "centers":
        return heatmap, settings.center_threshold
    return distance_inside(mask, voxel_size, settings.smoothing), 0.0


def distance_inside(mask: np.ndarray, voxel_size: Sequence[float], smoothing: float = 0.0) -> np.ndarray:
    """Return the distance of every voxel of a mask from the background, float32, 0 outside.

    Args:
        mask: True inside, any shape. Where nothing is outside, the distance is the diagonal of the array.
        voxel_size: Extent of a voxel along each axis.
        smoothing: Standard deviation of a Gaussian that smooths it, same unit.
    """
    if mask.all():  # of SciPy's distances from nothing one corner would be the background
        extents = np.multiply(mask.shape, voxel_size)
        return np.full(mask.shape, np.linalg.norm(extents), np.float32)
    distance = ndimage.distance_transform_edt(mask, sampling=voxel_size).astype(np.float32)
    if smoothing:
        # The filter spreads heights past the border of the mask, where no seed may be.
        distance = ndimage.gaussian_filter(distance, [smoothing / extent for extent in voxel_size]) * mask
    return distance
