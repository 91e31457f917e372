"""How the objects of two label images overlap: what every score of instances is computed from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import sparse


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelOverlaps:
    """Sizes of the objects of two label images and of their common parts; only parts that exist are listed.

    Attributes:
        reference_ids: Ids of the reference, increasing, without 0, shape ``(n,)``.
        prediction_ids: Ids of the prediction, increasing, without 0, shape ``(m,)``.
        reference_voxels: int64, shape ``(n,)``: size of each reference object [voxels].
        prediction_voxels: int64, shape ``(m,)``: size of each predicted object [voxels].
        reference_index: int64, shape ``(k,)``: row of ``reference_ids`` of each common part.
        prediction_index: int64, shape ``(k,)``: row of ``prediction_ids`` of each common part.
        voxels: int64, shape ``(k,)``: size of each common part [voxels].
    """

    reference_ids: np.ndarray
    prediction_ids: np.ndarray
    reference_voxels: np.ndarray
    prediction_voxels: np.ndarray
    reference_index: np.ndarray
    prediction_index: np.ndarray
    voxels: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """float64, shape ``(k,)``: intersection over union of each overlapping pair."""
        union = self.reference_voxels[self.reference_index] + self.prediction_voxels[self.prediction_index]
        return self.voxels / (union - self.voxels)

    @property
    def covers(self) -> np.ndarray:
        """bool, shape ``(k,)``: the prediction covers more than half of the reference; at most one per reference."""
        return 2 * self.voxels > self.reference_voxels[self.reference_index]


def count_overlaps(reference: Any, prediction: Any) -> LabelOverlaps:
    """Count the voxels that every object of one label image shares with every object of another.

    Volumes are read slice by slice. Neighbours along a row mostly have the same pair of ids, so runs of equal pairs
    are sorted in place of voxels.

    Args:
        reference: Ids, whole numbers, 0 is background, ``(z, y, x)`` or ``(y, x)``.
        prediction: Ids, the same shape.

    Raises:
        ValueError: If the shapes differ, ids are not of an integer type, or one is negative.

    Example:
        >>> overlaps = count_overlaps(np.array([[1, 1, 2, 0]]), np.array([[7, 7, 7, 9]]))
        >>> overlaps.voxels.tolist(), overlaps.iou.round(3).tolist()
        ([2, 1], [0.667, 0.333])
    """
    if tuple(reference.shape) != tuple(prediction.shape):
        raise ValueError(
            f"`prediction` must have the shape of `reference`. Received: {prediction.shape} and {reference.shape}"
        )
    for name, labels in (("reference", reference), ("prediction", prediction)):
        if np.dtype(labels.dtype).kind not in "iub":
            raise ValueError(f"`{name}` must hold whole numbers. Received: dtype={labels.dtype}")
    if len(reference.shape) == 2:
        parts = [_runs(reference, prediction)]
    else:
        parts = [_runs(reference[z], prediction[z]) for z in range(reference.shape[0])]
    first, second, lengths = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else _NO_RUNS
    reference_ids, row = _compress(first)
    prediction_ids, column = _compress(second)
    # Runs of the same pair are summed by the conversion to CSR. Row and column 0 are background: they count in the
    # sizes of objects and are left out of the common parts.
    table = sparse.coo_array((lengths, (row, column)), shape=(len(reference_ids), len(prediction_ids))).tocsr()
    sizes = [np.asarray(table.sum(axis=axis), np.int64)[1:] for axis in (1, 0)]
    common = table[1:, 1:].tocoo()
    return LabelOverlaps(
        reference_ids=reference_ids[1:],
        prediction_ids=prediction_ids[1:],
        reference_voxels=sizes[0],
        prediction_voxels=sizes[1],
        reference_index=common.row.astype(np.int64),
        prediction_index=common.col.astype(np.int64),
        voxels=common.data.astype(np.int64),
    )


_NO_RUNS = (np.zeros(0, np.int64),) * 3


def _runs(reference: Any, prediction: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids and length of every run of equal pairs in a slice; runs of background alone are left out."""
    first, second = (np.ravel(np.asarray(labels)) for labels in (reference, prediction))
    # A bool array would index as a mask in `_compress`, not as ids.
    first, second = (ids.view(np.uint8) if ids.dtype == bool else ids for ids in (first, second))
    is_start = np.ones(first.size, bool)
    np.not_equal(first[1:], first[:-1], out=is_start[1:])
    is_start[1:] |= second[1:] != second[:-1]
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=first.size)
    first, second = first[starts], second[starts]
    kept = (first != 0) | (second != 0)
    return first[kept], second[kept], lengths[kept]


def _compress(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all ids, increasing, 0 first whether it occurs or not, and the place of each id among them."""
    # Sort where ids are far larger than their number: a table up to the largest would not fit into memory. Otherwise
    # the table is faster.
    if ids.size and not 0 <= ids.min() <= ids.max() <= max(4 * ids.size, 2**16):
        known, place = np.unique(np.append(ids, ids.dtype.type(0)), return_inverse=True)
        if known[0] != 0:
            raise ValueError(f"ids must not be negative. Received: {known[0]}")
        return known, place[:-1]
    present = np.zeros(int(ids.max(initial=0)) + 1, bool)
    present[ids] = True
    present[0] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[ids]
