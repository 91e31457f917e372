"""Ids without gaps in the smallest type that holds them."""

from __future__ import annotations

import numpy as np
from skimage.util import map_array


def smallest_id_dtype(largest: int) -> np.dtype:
    """Return the smallest unsigned type that holds every id up to ``largest``; ids are never floating-point numbers.

    Raises:
        ValueError: If no type of 64 bits does.

    Example:
        >>> smallest_id_dtype(255), smallest_id_dtype(256), smallest_id_dtype(2**40)
        (dtype('uint8'), dtype('uint16'), dtype('uint64'))
    """
    for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
        if 0 <= largest <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    raise ValueError(f"`largest` must be a whole number of at most 64 bits. Received: largest={largest!r}")


def renumbered(labels: np.ndarray, *, keep: np.ndarray | None = None) -> np.ndarray:
    """Number objects 1, 2, 3, ... in the order of their ids.

    Args:
        labels: Ids, whole numbers, not negative, 0 is background, any shape. Ids far above the number of voxels are
            fine.
        keep: Ids that stay, without 0; all by default. Objects of other ids become background.

    Returns:
        Array of the smallest type that holds the ids, same shape.

    Example:
        >>> renumbered(np.array([0, 900, 7, 900]))
        array([0, 2, 1, 2], dtype=uint8)
    """
    known = np.unique(labels)
    kept = known[known != 0]
    if keep is not None:
        kept = kept[np.isin(kept, np.asarray(keep).astype(kept.dtype))]
    new = np.arange(1, len(kept) + 1, dtype=smallest_id_dtype(len(kept)))
    # A map and not a table, whose length would be the largest id.
    return map_array(labels, kept.astype(labels.dtype), new)
