"""How large the cells of labeled stacks are, and how much of the stacks they fill."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from skimage.measure import label

from segkit.data.sources import Source
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.volumes.files import open_volume
from segkit.volumes.instance_ids import instance_ids
from segkit.volumes.volume import Volume

_PIECES = 3  # of one cell in a slice: more than its folds make
_SCATTERED = 10  # pieces of a mean cell in a slice: no cell is that torn


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellMeasures:
    """What the cells on the training slices are like.

    Attributes:
        share: Share of voxels that belong to a cell.
        radius_px: Median over cells of the radius of a circle as large as its largest cross-section [px along x].
        voxels: Median size of a cell [voxels].
        one_id: A stack has one id alone, and it is in several pieces: perhaps a mask.
    """

    share: float
    radius_px: float
    voxels: float
    one_id: bool


def measure_cells(sources: Sequence[Source]) -> CellMeasures:
    """Measure the cells on the training slices.

    Raises:
        InputError: If there are none, or an id is negative or not a whole number.
    """
    inside = total = 0
    areas, sizes, one_id = [], [], False
    for source in sources:
        if not source.train:
            continue
        labels = open_volume(source.mask)
        pixel = _pixel_area(labels if labels.voxel_size_nm else source.open_tomogram())
        largest: dict[int, int] = {}
        summed: dict[int, int] = {}
        for z in parse_slices(source.train, labels.shape[0]):
            ids, counts = np.unique(instance_ids(labels, slice(z, z + 1)), return_counts=True)
            total += int(counts.sum())
            for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
                if number:
                    inside += count
                    largest[number] = max(largest.get(number, 0), count)
                    summed[number] = summed.get(number, 0) + count
        # A single id: one cell, or a mask of many.
        if len(largest) == 1:
            slices = parse_slices(source.train, labels.shape[0])
            one_id |= any(label(instance_ids(labels, slice(z, z + 1))[0]).max() >= _PIECES for z in slices)
        elif largest:
            # Grey values taken for ids have many ids, each scattered over the slice.
            _check_compact(labels, parse_slices(source.train, labels.shape[0]))
        areas += [count * pixel for count in largest.values()]
        sizes += summed.values()
    if not sizes:
        raise InputError("no cell on the training slices; choose slices with cells")
    # The circle of the same area.
    radius = float(np.sqrt(np.median(areas) / np.pi))
    return CellMeasures(share=inside / total, radius_px=radius, voxels=float(np.median(sizes)), one_id=one_id)


def _pixel_area(volume: Volume) -> float:
    """Return the area of a pixel in squares of its extent along x, the unit of distances between objects."""
    size = volume.voxel_size_nm
    return 1.0 if size is None else size[1] / size[2]


def _check_compact(labels: Volume, slices: Sequence[int]) -> None:
    """Refuse grey values in place of ids: they are in many pieces.

    Raises:
        InputError: If every id of the middle slice is in many pieces.
    """
    ids = instance_ids(labels, slice(slices[len(slices) // 2], slices[len(slices) // 2] + 1))[0]
    count, pieces = len(np.unique(ids[ids > 0])), int(label(ids).max())
    if pieces >= _SCATTERED * max(count, 1):
        raise InputError(
            f"{labels.name}: {count} ids in {pieces:,} pieces in one slice, expected about one piece per cell; are "
            "these grey values, or were images and labels swapped?"
        )
