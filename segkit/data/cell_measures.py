"""How large the cells of labeled stacks are, and how much of the stacks they fill."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from skimage.measure import label

from segkit.data.sources import Source
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.instances.id_checks import one_id_in_pieces, share_of_restarts
from segkit.instances.object_sizes import huge_object_warning
from segkit.volumes.files import open_volume
from segkit.volumes.instance_ids import ids_by_slice, instance_ids, unannotated
from segkit.volumes.volume import Volume

_SCATTERED = 10  # pieces of a mean cell in a slice: no cell is that torn


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellMeasures:
    """What the cells on the training slices are like.

    Attributes:
        share: Share of voxels that belong to a cell.
        radius_px: Median over cells of the radius of a circle as large as its largest cross-section [px along x].
        voxels: Median size of a cell [voxels].
        one_id: A stack has one id alone, and it is in several pieces: perhaps a mask.
        restarts: Most ids that two neighbouring slices of a stack have in common do not touch there.
        huge: A line for every stack with an object far larger than all others, which may stand for unannotated voxels.
    """

    share: float
    radius_px: float
    voxels: float
    one_id: bool
    restarts: bool = False
    huge: tuple[str, ...] = ()


def measure_cells(sources: Sequence[Source], *, ignore_value: int | None = None) -> CellMeasures:
    """Measure the cells on the training slices.

    Args:
        sources: Where the stacks are, and what their slices are for.
        ignore_value: Value of unannotated voxels, which count neither as cells nor in the share that cells have.

    Raises:
        InputError: If there are none, or an id is negative or not a whole number.
    """
    inside = total = 0
    areas, sizes, huge = [], [], []
    one_id = restarts = False
    for source in sources:
        if not source.train:
            continue
        labels = open_volume(source.mask)
        pixel = _pixel_area(labels if labels.voxel_size_nm else source.open_tomogram())
        largest: dict[int, int] = {}
        summed: dict[int, int] = {}
        slices, looked_at = parse_slices(source.train, labels.shape[0]), 0
        for z in slices:
            ids, counts = np.unique(_annotated_ids(labels, z, ignore_value), return_counts=True)
            looked_at += int(counts.sum())
            for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
                if number:
                    inside += count
                    largest[number] = max(largest.get(number, 0), count)
                    summed[number] = summed.get(number, 0) + count
        # A single id: one cell, or a mask of many.
        if len(largest) == 1:
            one_id |= one_id_in_pieces(ids_by_slice(labels, ignore_value=ignore_value), slices)
        elif largest:
            # Grey values taken for ids have many ids, each scattered over the slice.
            _check_compact(labels, slices, ignore_value)
            # Slices that were annotated one by one are not joined.
            if not source.annotated_in_part:
                restarts |= share_of_restarts(ids_by_slice(labels, ignore_value=ignore_value), slices) is not None
        if ignore_value is None and (warning := huge_object_warning(summed, looked_at)):
            huge.append(f"{labels.name}: {warning}")
        total += looked_at
        areas += [count * pixel for count in largest.values()]
        sizes += summed.values()
    if not sizes:
        raise InputError("no cell on the training slices; choose slices with cells")
    # The circle of the same area.
    radius = float(np.sqrt(np.median(areas) / np.pi))
    shared = {"voxels": float(np.median(sizes)), "one_id": one_id, "restarts": restarts, "huge": tuple(huge)}
    return CellMeasures(share=inside / total, radius_px=radius, **shared)


def _slice_ids(labels: Volume, z: int, ignore_value: int | None) -> np.ndarray:
    return instance_ids(labels, slice(z, z + 1), ignore_value=ignore_value)[0]


def _annotated_ids(labels: Volume, z: int, ignore_value: int | None) -> np.ndarray:
    """Return the ids of a slice, ``(y, x)``, or those of its annotated pixels in a row."""
    ids = _slice_ids(labels, z, ignore_value)
    return ids if ignore_value is None else ids[~unannotated(labels, slice(z, z + 1), ignore_value=ignore_value)[0]]


def _pixel_area(volume: Volume) -> float:
    """Return the area of a pixel in squares of its extent along x, the unit of distances between objects."""
    size = volume.voxel_size_nm
    return 1.0 if size is None else size[1] / size[2]


def _check_compact(labels: Volume, slices: Sequence[int], ignore_value: int | None) -> None:
    """Refuse grey values in place of ids: they are in many pieces.

    Raises:
        InputError: If every id of the middle slice is in many pieces.
    """
    ids = _slice_ids(labels, slices[len(slices) // 2], ignore_value)
    count, pieces = len(np.unique(ids[ids > 0])), int(label(ids).max())
    if pieces >= _SCATTERED * max(count, 1):
        raise InputError(
            f"{labels.name}: {count} ids in {pieces:,} pieces in one slice, expected about one piece per cell; are "
            "these grey values, or were images and labels swapped?"
        )
