"""A point inside every object, and heatmaps that peak there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from segkit.instances.renumber import renumbered

_INNERMOST = 0.9


@dataclasses.dataclass(frozen=True)
class CellCenters:
    """Points inside objects.

    Attributes:
        points: int64, shape ``(n, axes)``: a voxel of each object.
        radii: float64, shape ``(n,)``: how deep the deepest voxel is below the surface [unit of the voxel size].
    """

    points: np.ndarray
    radii: np.ndarray


def find_centers(labels: np.ndarray, *, voxel_size: Sequence[float]) -> CellCenters:
    """Find the middle of the innermost part of every object; other than a centroid it is always inside.

    The innermost part is what lies at least nine tenths as deep below the surface as anything in the object: a flat
    object has no deepest voxel, but a whole plane of them. Of it the voxel nearest to its own centroid is taken.

    Args:
        labels: Ids, 0 is background, ``(z, y, x)`` or ``(y, x)``. The border of the volume is no surface.
        voxel_size: Extent of a voxel along each axis, positive [any unit].

    Returns:
        Centres in the order of the ids.

    Raises:
        ValueError: If ``voxel_size`` is not one positive number per axis.
    """
    if len(voxel_size) != labels.ndim or not all(extent > 0 for extent in voxel_size):
        raise ValueError(f"`voxel_size` must be {labels.ndim} positive numbers. Received: {tuple(voxel_size)!r}")
    dense = renumbered(labels)
    points, radii = [], []
    for number, box in enumerate(ndimage.find_objects(dense), start=1):
        # A voxel more on every side that lies inside the volume, so that what is outside the box ends the object.
        wider = tuple(
            slice(max(part.start - 1, 0), min(part.stop + 1, size))
            for part, size in zip(box, labels.shape, strict=True)
        )
        inside = dense[wider] == number
        # One object fills the whole volume: without background the distance transform is undefined.
        if inside.all():
            place = [(size - 1) // 2 for size in inside.shape]
            radius = 0.5 * min(size * extent for size, extent in zip(inside.shape, voxel_size, strict=True))
        else:
            distance = ndimage.distance_transform_edt(inside, sampling=voxel_size)
            radius = float(distance.max())
            innermost = np.argwhere(distance >= _INNERMOST * radius)
            away = ((innermost - innermost.mean(axis=0)) * voxel_size) ** 2
            place = innermost[away.sum(axis=1).argmin()]
        points.append([part.start + int(at) for part, at in zip(wider, place, strict=True)])
        radii.append(radius)
    return CellCenters(np.array(points, np.int64).reshape(-1, labels.ndim), np.array(radii, float))


def find_centers_of_slices(labels: np.ndarray, *, voxel_size: Sequence[float]) -> CellCenters:
    """Find the centres of the cross-sections in every slice, as ``find_centers`` does, for slices annotated one by one.

    Args:
        labels: Ids, ``(z, y, x)``.
        voxel_size: Extent of a voxel along ``(z, y, x)``, positive [any unit].

    Returns:
        Centres with three coordinates, slice by slice.
    """
    found = [find_centers(part, voxel_size=voxel_size[1:]) for part in labels]
    points = [np.insert(part.points, 0, z, axis=1) for z, part in enumerate(found)]
    return CellCenters(
        np.concatenate([np.zeros((0, 3), np.int64), *points]), np.concatenate([part.radii for part in found])
    )


def render_heatmap(
    centers: CellCenters,
    z: int,
    window: tuple[slice, slice],
    size_px: int,
    *,
    voxel_size: Sequence[float],
    spread: float = 0.5,
) -> np.ndarray:
    """Render a window of a slice of the heatmap of centres, at the size that a network computes at.

    Around every centre is a Gaussian, in space and not in voxels; where several overlap the largest counts. The
    value is 1 at the pixel of a centre, in its slice, and nowhere else.

    Args:
        centers: Centres of a volume ``(z, y, x)``.
        z: The slice.
        window: Start and stop along ``(y, x)`` [px].
        size_px: Side of the result [px].
        voxel_size: Extent of a voxel along ``(z, y, x)``, in the unit of the radii.
        spread: Standard deviation of the Gaussians as a share of the radii; at least one pixel of the result.

    Returns:
        float32 in [0, 1], ``(size_px, size_px)``.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3, after Schmidt et al. (2018); widths are not given there.
    """
    heat = np.zeros((size_px, size_px), np.float32)
    # Voxels per pixel of the result, along (y, x).
    steps = [(part.stop - part.start) / size_px for part in window]
    # Narrower Gaussians than a pixel would leave their neighbours at 0.
    least = max(step * extent for step, extent in zip(steps, voxel_size[1:], strict=True))
    inside = np.ones(len(centers.points), bool)
    for axis, part in enumerate(window, start=1):
        inside &= (centers.points[:, axis] >= part.start) & (centers.points[:, axis] < part.stop)
    for (cz, cy, cx), radius in zip(centers.points[inside], centers.radii[inside], strict=True):
        sigma = max(spread * radius, least)
        # Distance from the centre's slice [standard deviations].
        up = (cz - z) * voxel_size[0] / sigma
        if abs(up) > _REACH:
            continue
        axes = []
        for center, part, step, extent in zip((cy, cx), window, steps, voxel_size[1:], strict=True):
            # Measured from the middle of the pixel and not from the centre itself: the peak is then exactly 1, by which
            # `HeatmapFocal` recognises centres.
            pixel = min(int((center - part.start + 0.5) / step), size_px - 1)
            axes.append(np.exp(-0.5 * ((np.arange(size_px) - pixel) * step * extent / sigma) ** 2))
        # A Gaussian is separable: (y,) and (x,) give (y, x).
        blob = np.float32(np.exp(-0.5 * up**2)) * np.outer(*axes).astype(np.float32)
        np.maximum(heat, blob, out=heat)
    return heat


_REACH = 4.0  # standard deviations after which nothing is left
