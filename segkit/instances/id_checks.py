"""Whether ids are those of a mask, or of slices that are images of their own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from segkit.instances.label_overlaps import count_overlaps

_PIECES = 3  # of one object in a slice: more than its folds make
_LEAST_IDS = 3  # in two neighbouring slices, counted in every pair of them; of fewer nothing is known


def one_id_in_pieces(labels: Any, slices: Sequence[int] | None = None) -> bool:
    """Return whether there is a single id, in three pieces or more of a slice: perhaps a mask of many objects.

    Args:
        labels: Ids, whole numbers, not negative, 0 is background, ``(z, y, x)``; read slice by slice.
        slices: The slices that are looked at; all by default.

    Example:
        >>> one_id_in_pieces(np.array([[[1, 0, 1, 0, 1]]])), one_id_in_pieces(np.array([[[1, 0, 1, 0, 2]]]))
        (True, False)
    """
    from skimage.measure import label  # takes longer to load than most of what is done here

    known, most = 0, 0
    for z in range(labels.shape[0]) if slices is None else slices:
        ids = np.asarray(labels[z])
        highest = int(ids.max(initial=0))
        if not highest:
            continue
        if (known and highest != known) or ((ids != 0) & (ids != highest)).any():
            return False
        known = highest
        most = max(most, int(label(ids).max())) if most < _PIECES else most
    return most >= _PIECES


def share_of_restarts(labels: Any, slices: Sequence[int] | None = None) -> float | None:
    """Return which share of the ids that two neighbouring slices have in common do not touch there.

    An object in both slices overlaps itself. Where ids restart in every slice, the same id is mostly elsewhere.

    Args:
        labels: Ids, whole numbers, not negative, 0 is background, ``(z, y, x)``; read slice by slice.
        slices: The slices that are looked at, increasing; all by default.

    Returns:
        The share, if it is more than half, of three ids or more; else ``None``.

    Example:
        >>> share_of_restarts(np.array([[[1, 2, 3, 0, 0, 0]], [[0, 0, 0, 1, 2, 3]]]))
        1.0
    """
    shared = touching = 0
    chosen = range(labels.shape[0]) if slices is None else slices
    for z, after in itertools.pairwise(chosen):
        if after != z + 1:
            continue
        overlaps = count_overlaps(np.asarray(labels[z]), np.asarray(labels[after]))
        ids, others = overlaps.reference_ids, overlaps.prediction_ids
        shared += np.intersect1d(ids, others).size
        touching += int(np.count_nonzero(ids[overlaps.reference_index] == others[overlaps.prediction_index]))
    if shared < _LEAST_IDS or 2 * touching >= shared:
        return None
    return 1 - touching / shared
