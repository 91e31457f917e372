"""Which empty slices of an annotation look as if nobody had painted them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import numpy as np

_LEAST_IOU = 0.2  # of the slices before and after an empty one; real mitochondria and membranes have 0.23 and more
_TIMES_CHANCE = 2.0  # the IoU of as many voxels at random places
_LEAST_SIZE = 0.5  # of the median painted slice; a structure that ends gets smaller before
_LEAST_SHARE = 0.005  # of a slice; of a few pixels all slices are about as large


def between(counts: Mapping[int, int]) -> list[int]:
    """Return the empty slices between painted ones.

    Args:
        counts: Foreground voxels of the slices that are used and annotated, by index, increasing.

    Example:
        >>> between({0: 0, 1: 5, 2: 0, 3: 7, 4: 0})
        [2]
    """
    painted = _painted(counts)
    return [z for z in counts if painted and painted[0] < z < painted[-1] and not counts[z]]


def around(counts: Mapping[int, int], slice_voxels: int) -> list[int]:
    """Return the empty slices before and after a block of painted ones that breaks off.

    Structures get smaller before they end. A block breaks off where the painted slices next to the empty ones have
    at least half as many voxels as the median painted slice; on one side that is enough where the other side of the
    block is that of the volume. Of blocks with less than half a percent of their slices nothing is known.

    Args:
        counts: Foreground voxels of the slices that are used and annotated, by index, increasing.
        slice_voxels: Voxels of a slice.

    Example:
        >>> around({0: 0, 1: 0, 2: 6, 3: 9, 4: 8, 5: 0}, 100)
        [0, 1, 5]
        >>> around({0: 0, 1: 0, 2: 1, 3: 9, 4: 8, 5: 0}, 100)
        []
    """
    painted, slices = _painted(counts), list(counts)
    if not painted:
        return []
    usual = statistics.median(counts[z] for z in painted)
    # (outermost painted slice, the slice after it) where the block does not end with the volume
    ends = [(z, z + step) for z, step, last in ((painted[0], -1, slices[0]), (painted[-1], 1, slices[-1])) if z != last]
    breaks_off = all(beyond in counts and counts[z] >= _LEAST_SIZE * usual for z, beyond in ends)
    if not breaks_off or usual < _LEAST_SHARE * slice_voxels:
        return []
    return [z for z in slices if not painted[0] <= z <= painted[-1]]


def forgotten(counts: Mapping[int, int], foreground: Callable[[int], np.ndarray]) -> list[int]:
    """Return the single empty slices before and after which the same structure is painted.

    No structure vanishes for one slice. It is the same where the foreground of the two slices has an IoU of at least
    0.2, and twice that of chance, and each has at least half as many voxels as the median painted slice.

    Args:
        counts: Foreground voxels of the slices that are used and annotated, by index, increasing.
        foreground: Returns where a slice has foreground, bool ``(y, x)``.
    """
    painted = _painted(counts)
    usual = statistics.median(counts[z] for z in painted) if painted else 0
    found = []
    for z in between(counts):
        if min(counts.get(z - 1, 0), counts.get(z + 1, 0)) < max(1, _LEAST_SIZE * usual):
            continue
        one, other = foreground(z - 1), foreground(z + 1)
        shares = one.mean(), other.mean()
        chance = shares[0] * shares[1] / (shares[0] + shares[1] - shares[0] * shares[1])
        iou = np.count_nonzero(one & other) / np.count_nonzero(one | other)
        if iou >= max(_LEAST_IOU, _TIMES_CHANCE * chance):
            found.append(z)
    return found


def _painted(counts: Mapping[int, int]) -> list[int]:
    return [z for z, count in counts.items() if count]
