"""Pieces of one object that a watershed has separated, joined again."""

from __future__ import annotations

import numpy as np


def find_saddles(labels: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how high the border between any two objects that touch by their faces reaches.

    Args:
        labels: Ids, not negative, 0 is background, any number of axes.
        heights: Height of every voxel, same shape, such as its distance from the background.

    Returns:
        Pairs of ids, int64, ``(n, 2)``, each once with the smaller id first; and of each the highest of its border,
        ``(n,)``, where the height of a face is that of the lower of its two voxels.

    Example:
        >>> find_saddles(np.array([1, 1, 2, 2, 0, 3]), np.array([5.0, 2.0, 3.0, 4.0, 0.0, 1.0]))
        (array([[1, 2]]), array([2.]))
    """
    firsts, seconds, faces = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, heights.dtype)]
    for axis in range(labels.ndim):
        here, there = (
            (slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None))
        )  # neighbours along the axis
        border = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        pair = np.stack([labels[here][border], labels[there][border]]).astype(np.int64)
        firsts.append(pair.min(axis=0))
        seconds.append(pair.max(axis=0))
        faces.append(np.minimum(heights[here][border], heights[there][border]))
    return highest_of_pairs(np.stack([np.concatenate(firsts), np.concatenate(seconds)], axis=1), np.concatenate(faces))


def highest_of_pairs(pairs: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every pair once, with the highest of its heights.

    Args:
        pairs: Ids, ``(n, 2)``.
        heights: ``(n,)``.
    """
    if not len(pairs):
        return pairs, heights
    # Sorted by pair, each run of equal pairs is reduced to its maximum.
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, heights = pairs[order], heights[order]
    starts = np.flatnonzero(np.append(True, (pairs[1:] != pairs[:-1]).any(axis=1)))
    return pairs[starts], np.maximum.reduceat(heights, starts)


def join_shallow(peaks: np.ndarray, pairs: np.ndarray, saddles: np.ndarray, *, min_depth: float) -> np.ndarray:
    """Join objects that hardly narrow between their peaks.

    From the highest saddle down, two objects become one unless the saddle lies at least ``min_depth`` of the lower peak
    below that peak; the higher peak is that of both then. In the terms of mathematical morphology: maxima whose
    dynamics, as a share of their height, are smaller are none.

    Args:
        peaks: Greatest height in each object, by its id, ``(ids + 1,)``.
        pairs: Objects that touch, as ``find_saddles`` returns them.
        saddles: Height of each saddle.
        min_depth: Share of the lower peak, in [0, 1).

    Returns:
        For every id the smallest id of those it is joined with, int64, ``(ids + 1,)``.

    Example:
        >>> join_shallow(np.array([0, 10.0, 8.0, 9.0]), np.array([[1, 2], [2, 3]]), np.array([7.5, 4.0]), min_depth=0.1)
        array([0, 1, 1, 3])
    """
    # Disjoint sets whose root is the smallest id, and the highest peak of each by its root.
    owner, highest = list(range(len(peaks))), peaks.tolist()

    def owner_of(number: int) -> int:
        while owner[number] != number:
            # Path halving keeps the chains short.
            owner[number] = number = owner[owner[number]]
        return number

    # Stable, so that saddles of one height are taken in the order of their ids.
    for place in np.argsort(-saddles, kind="stable"):
        first, second = sorted(map(owner_of, pairs[place].tolist()))
        if first != second and saddles[place] > (1 - min_depth) * min(highest[first], highest[second]):
            owner[second] = first
            highest[first] = max(highest[first], highest[second])
    return np.array([owner_of(number) for number in range(len(peaks))], np.int64)


def peaks_of(labels: np.ndarray, heights: np.ndarray, count: int) -> np.ndarray:
    """Return the greatest height in each object, by its id up to ``count``; 0 where an id does not occur."""
    peaks = np.zeros(count + 1, heights.dtype)
    inside = labels > 0
    # `ufunc.at`: an id occurs in many voxels.
    np.maximum.at(peaks, labels[inside], heights[inside])
    return peaks
