"""How many voxels every object has, and where it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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


_LEAST_OBJECTS = 3  # of one or two nothing tells which size is usual
_LEAST_TIMES = 20  # the size of the second largest
_LEAST_SHARE = 0.05  # of all voxels: a cell among fragments is not meant


def huge_object(sizes: Mapping[int, int], num_voxels: int) -> int | None:
    """Return the id of an object that is far larger than all others, and may stand for what was not annotated.

    That is the largest of three objects or more, if it has at least 20 times as many voxels as the second largest, and
    at least 5 % of all voxels.

    Args:
        sizes: Voxels of every object, by id, without 0.
        num_voxels: Voxels in which objects were counted, background among them.

    Returns:
        The id; ``None`` where there is no such object.

    Example:
        >>> huge_object({1: 20, 2: 30, 255: 900}, 2000)
        255
    """
    if len(sizes) < _LEAST_OBJECTS:
        return None
    second, first = sorted(sizes, key=sizes.__getitem__)[-2:]
    is_huge = sizes[first] >= max(_LEAST_TIMES * sizes[second], _LEAST_SHARE * num_voxels)
    return first if is_huge else None


def huge_object_warning(sizes: Mapping[int, int], num_voxels: int) -> str | None:
    """Return a line about an object that ``huge_object`` finds; ``None`` where it finds none.

    Args:
        sizes: Voxels of every object, by id, without 0.
        num_voxels: Voxels in which objects were counted, background among them.
    """
    found = huge_object(sizes, num_voxels)
    if found is None:
        return None
    next_size = max(size for number, size in sizes.items() if number != found)
    return (
        f"the object {found} has {100 * sizes[found] / sum(sizes.values()):.0f} % of the voxels with an id, "
        f"{sizes[found] / next_size:,.0f} times as many as the next; where it means unannotated, pass "
        f"--ignore-value {found}"
    )
