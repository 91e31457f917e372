"""How far the surface of a predicted structure is from that of the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage


@dataclasses.dataclass(frozen=True, kw_only=True)
class SurfaceDistance:
    """Distances between two surfaces; ``None`` where one of them does not exist.

    Attributes:
        mean: Mean distance of the voxels of each surface from the other one, over both [unit of the voxel size].
        hausdorff_95: The larger of the two 95th percentiles of these distances [unit of the voxel size].
        within: Share of the voxels of both surfaces whose distance is at most the tolerance, in [0, 1].
        tolerance: The tolerance [unit of the voxel size].
        left_out: Slices in which one of the two alone has a surface: no distance is defined there, and their voxels are
            beyond the tolerance. 0 unless slices are measured one by one.
    """

    mean: float | None
    hausdorff_95: float | None
    within: float | None
    tolerance: float
    left_out: int = 0


def surface_distance(
    prediction: np.ndarray,
    reference: np.ndarray,
    voxel_size: Sequence[float],
    tolerance: float,
    *,
    slice_wise: bool = False,
) -> SurfaceDistance:
    """Compare the surfaces of two masks.

    The surface of a mask is its voxels with a neighbour by a face outside of it; beyond the border of the array
    everything is outside.

    Args:
        prediction: Mask, any rank.
        reference: Mask of the same shape.
        voxel_size: Extent of a voxel along each axis.
        tolerance: Distance that counts as none, not negative, in the same unit.
        slice_wise: Take outlines and distances inside each slice along the first axis, for slices that are no
            neighbours.

    Raises:
        ValueError: If shapes differ, an extent is not positive or the tolerance negative.

    Reference:
        Mean and percentile as in Taha & Hanbury (2015), doi:10.1186/s12880-015-0068-x; the share within a tolerance
        after Nikolov et al. (2021), "surface Dice", doi:10.2196/26151, which weighs by areas; voxels are counted here.

    Example:
        >>> first, second = np.zeros(9, bool), np.zeros(9, bool)
        >>> first[2:5], second[3:6] = True, True
        >>> surface_distance(first, second, [10.0], 5.0).mean
        10.0
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"`prediction` must be of the shape {reference.shape}. Received: shape={prediction.shape}")
    if not all(extent > 0 for extent in voxel_size) or tolerance < 0:
        raise ValueError(
            f"`voxel_size` must be positive and `tolerance` not negative. Received: voxel_size={tuple(voxel_size)}, "
            f"tolerance={tolerance}"
        )
    masks = (prediction != 0, reference != 0)
    pairs = list(zip(*masks, strict=True)) if slice_wise else [masks]
    sampling = voxel_size[1:] if slice_wise else voxel_size
    directed: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    without, left_out = 0, 0
    for pair in pairs:
        surfaces = [_surface(mask) for mask in pair]
        counts = [int(surface.sum()) for surface in surfaces]
        if all(counts):
            for found, surface, other in zip(directed, surfaces, surfaces[::-1], strict=True):
                found.append(ndimage.distance_transform_edt(~other, sampling=sampling)[surface])
        elif any(counts):
            without, left_out = without + sum(counts), left_out + slice_wise
    if not directed[0]:
        return SurfaceDistance(mean=None, hausdorff_95=None, within=None, tolerance=tolerance, left_out=left_out)
    forth, back = map(np.concatenate, directed)
    distances = np.concatenate([forth, back])
    return SurfaceDistance(
        mean=float(distances.mean()),
        hausdorff_95=max(float(np.percentile(part, 95)) for part in (forth, back)),
        within=float((distances <= tolerance).sum() / (distances.size + without)),
        tolerance=tolerance,
        left_out=left_out,
    )


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask)
