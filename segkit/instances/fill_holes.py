"""Holes inside objects."""

from __future__ import annotations

import numpy as np
from skimage.measure import label


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Give every hole to the object around it.

    A hole is a piece of background, connected by faces, that does not reach the border of the array and has one
    object alone as its neighbour. What lies between two objects stays background.

    Args:
        labels: Ids, whole numbers, 0 is background, ``(z, y, x)`` or ``(y, x)``.

    Returns:
        Array of the same shape and type.

    Example:
        >>> fill_holes(np.array([[7, 7, 7], [7, 0, 7], [7, 7, 7]]))[1, 1]
        np.int64(7)
    """
    pieces = label(labels == 0, connectivity=1)
    # The smallest and largest id beside every piece; the border counts as an id of its own.
    count = int(pieces.max()) + 1
    # Both are the same id where a piece has one object alone as neighbour; `low` > `high` where it has none.
    low, high = np.full(count, np.iinfo(np.uint64).max), np.zeros(count, np.uint64)
    is_open = np.zeros(count, bool)
    for axis in range(labels.ndim):
        # Both directions: the voxel behind and the one before along the axis.
        for here, there in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            inner, outer = ((slice(None),) * axis + (part,) for part in (here, there))
            beside = (pieces[inner] != 0) & (labels[outer] != 0)
            piece, neighbour = pieces[inner][beside], labels[outer][beside].astype(np.uint64)
            # `ufunc.at`, as a piece has many neighbouring voxels and plain indexing would keep the last of them.
            np.minimum.at(low, piece, neighbour)
            np.maximum.at(high, piece, neighbour)
        for end in (0, -1):
            is_open[np.take(pieces, end, axis=axis)] = True
    is_hole = (low == high) & ~is_open
    # Label 0 are the objects themselves.
    is_hole[0] = False
    owner = np.where(is_hole, high, 0).astype(labels.dtype)
    return np.where(labels == 0, owner[pieces], labels)
