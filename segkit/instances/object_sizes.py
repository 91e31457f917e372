"""How many voxels every object has, and where it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectSizes:
    """Sizes and centres of objects, one row for each.

    Attributes:
        ids: Ids, increasing, without 0, shape ``(n,)``.
        voxels: int64, shape ``(n,)``: size [voxels].
        centers: float64, shape ``(n, 3)``: mean of the voxels' places along ``(z, y, x)``, counted from 0 [px].
    """

    ids: np.ndarray
    voxels: np.ndarray
    centers: np.ndarray


def object_sizes(labels: Any) -> ObjectSizes:
    """Measure the objects of a volume, one slice in memory at a time.

    Args:
        labels: Ids from 1 on, without large gaps, 0 for background, ``(z, y, x)``; whole numbers, not negative.

    Raises:
        ValueError: If the volume has other axes, or values are no whole numbers.

    Example:
        >>> found = object_sizes(np.array([[[1, 1, 0, 3]]]))
        >>> found.ids.tolist(), found.voxels.tolist(), found.centers.tolist()
        ([1, 3], [2, 1], [[0.0, 0.0, 0.5], [0.0, 0.0, 3.0]])
    """
    if len(labels.shape) != 3 or np.dtype(labels.dtype).kind not in "iub":
        raise ValueError(f"`labels` must be whole numbers (z, y, x). Received: {labels.dtype} {tuple(labels.shape)}")
    counts, sums = np.zeros(1, np.int64), np.zeros((1, 3))
    for z in range(labels.shape[0]):
        ids = np.asarray(labels[z]).astype(np.int64)
        places = np.nonzero(ids)
        found = ids[places]
        if (most := int(found.max(initial=0)) + 1) > len(counts):
            counts, sums = np.pad(counts, (0, most - len(counts))), np.pad(sums, ((0, most - len(sums)), (0, 0)))
        in_slice = np.bincount(found, minlength=len(counts))
        counts += in_slice
        sums[:, 0] += z * in_slice
        for axis, place in enumerate(places, start=1):
            sums[:, axis] += np.bincount(found, weights=place, minlength=len(counts))
    (ids,) = np.nonzero(counts)
    return ObjectSizes(ids=ids, voxels=counts[ids], centers=sums[ids] / counts[ids, None])
