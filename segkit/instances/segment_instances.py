"""From the probability of cells to cells with ids."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from segkit.errors import InputError
from segkit.instances.fill_holes import fill_holes
from segkit.instances.join_slices import join_slices
from segkit.instances.renumber import renumbered
from segkit.instances.saddles import find_saddles, join_shallow, peaks_of
from segkit.instances.seeds import peak_seeds, split_seeds

METHODS = ("components", "distance", "centers")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstanceSettings:
    """How objects are separated.

    Attributes:
        method: ``"components"``: what touches by its faces is one object. ``"distance"``: a watershed from the places
            farthest from the background, for roundish objects that touch. ``"centers"``: a watershed from the peaks of
            a second network's heatmap, for irregular ones.
        threshold: Probability above which a voxel belongs to an object, in [0, 1].
        slice_wise: Separate objects in every slice and join them along z afterwards, for slices that lie far apart;
            otherwise in 3-D.
        seed_distance: Half the side of the box in which a seed is the highest [unit of the voxel size]; objects that
            touch and whose centres are closer become one.
        smoothing: Standard deviation of the Gaussian that smooths the distance before [unit of the voxel size].
        min_depth: For the method ``"distance"``: an object is cut in two only where it narrows by at least this share
            of its thinner part's half width, in [0, 1); 0 cuts between all seeds.
        center_threshold: Height above which a peak of the heatmap is a centre.
        min_iou: Least intersection over union of the parts that slices are joined by.
        min_size: Objects of fewer voxels are left out.
        fill: Give holes to the object around them, slice by slice where objects are separated so or there is one
            slice.
    """

    method: Literal["components", "distance", "centers"] = "distance"
    threshold: float = 0.5
    slice_wise: bool = False
    seed_distance: float = 5.0
    smoothing: float = 1.0
    min_depth: float = 0.05
    center_threshold: float = 0.3
    min_iou: float = 0.25
    min_size: int = 1
    fill: bool = True

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.method not in METHODS:
            raise InputError(f"instances {self.method!r}; give one of {', '.join(METHODS)}")
        for name in ("slice_wise", "fill"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"instances: {name} {getattr(self, name)!r}; give true or false")
        for name in ("threshold", "center_threshold", "min_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"instances: {name} {getattr(self, name)}; give a number from 0 to 1")
        if not 0 <= self.min_depth < 1:
            raise InputError(f"instances: min_depth {self.min_depth}; give a share from 0 to below 1")
        for name in ("seed_distance", "smoothing", "min_size"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"instances: {name} {getattr(self, name)}; give 0 or more")

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InstanceSettings:
        """Build from ``to_dict``'s dict.

        Raises:
            InputError: If a name is unknown or a value out of range.
        """
        try:
            return cls(**values)
        except TypeError as fault:
            raise InputError(f"instances: {fault}") from fault


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
    seeds = split_seeds(seeds, pieces)
    found = watershed(-heights, seeds, mask=mask, connectivity=1)
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
        distance = ndimage.gaussian_filter(distance, [smoothing / extent for extent in voxel_size]) * mask
    return distance
