"""Objects of single slices joined along z."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching
from skimage.util import map_array

from segkit.instances.label_overlaps import LabelOverlaps, count_overlaps
from segkit.instances.renumber import smallest_id_dtype


def join_slices(labels: np.ndarray, *, min_iou: float = 0.25) -> np.ndarray:
    """Give objects of neighbouring slices one id where they overlap.

    Two objects are one where each is the other's best partner in the next slice and their intersection over union is
    large enough, so an object never splits in two from one slice to the next. Of partners that fit equally well each
    gets one, as far as possible.

    Args:
        labels: Ids, ``(z, y, x)``, 0 is background; ids of different slices are unrelated.
        min_iou: Least intersection over union of two parts of an object, in (0, 1].

    Returns:
        Ids from 1 on without gaps, in the order in which objects begin, of the smallest type that holds them.

    Raises:
        ValueError: If ``min_iou`` is out of range.
    """
    ids, numbers = joined_numbers(labels, min_iou=min_iou)
    dtype = smallest_id_dtype(max((int(new.max(initial=0)) for new in numbers), default=0))
    joined = np.zeros(labels.shape, dtype)
    for z, (known, new) in enumerate(zip(ids, numbers, strict=True)):
        joined[z] = map_array(labels[z], known, new.astype(dtype))
    return joined


def joined_numbers(labels: Any, *, min_iou: float = 0.25) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the ids of every slice, and the number that each gets where slices are joined, as ``join_slices`` does.

    Args:
        labels: Ids, ``(z, y, x)``; read two slices at a time.
        min_iou: See ``join_slices``.

    Raises:
        ValueError: As ``join_slices`` does.
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"`min_iou` must be in (0, 1]. Received: min_iou={min_iou!r}")
    # Every object of every slice is a node; those of slice z have the numbers from starts[z] on.
    ids = [known[known != 0] for known in map(np.unique, labels)]
    starts = np.cumsum([0, *(len(known) for known in ids)])
    links = [np.zeros((2, 0), np.int64)]
    for z in range(len(labels) - 1):
        first, second = best_partners(count_overlaps(labels[z], labels[z + 1]), min_iou)
        links.append(np.stack([starts[z] + first, starts[z + 1] + second]))
    pairs = np.concatenate(links, axis=1)
    graph = sparse.coo_array((np.ones(pairs.shape[1], np.int8), tuple(pairs)), shape=(starts[-1], starts[-1]))
    _, member = connected_components(graph, directed=False)  # numbered by their first member
    # Back to one array per slice.
    return ids, np.split(member.astype(np.int64) + 1, starts[1:-1])


def best_partners(overlaps: LabelOverlaps, min_iou: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that are each other's best match, as places among the reference's and prediction's ids."""
    # Only pairs with a common voxel are listed, so all of these are above 0.
    iou = overlaps.iou
    chosen = iou >= min_iou
    for index, known in (
        (overlaps.reference_index, overlaps.reference_ids),
        (overlaps.prediction_index, overlaps.prediction_ids),
    ):
        best = np.zeros(len(known))
        np.maximum.at(best, index, iou)
        # Exact comparison: `best` is copied from `iou`. Being best of both row and column makes partners mutual.
        chosen &= iou == best[index]
    # Where two partners fit equally well, as many as can be find one.
    rows, columns = overlaps.reference_index[chosen], overlaps.prediction_index[chosen]
    shape = len(overlaps.reference_ids), len(overlaps.prediction_ids)
    graph = sparse.csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=shape)
    partners = maximum_bipartite_matching(graph, perm_type="column")
    first = np.flatnonzero(partners >= 0)
    return first, partners[first].astype(np.int64)
