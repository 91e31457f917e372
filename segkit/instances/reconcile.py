"""One numbering for regions that were found block by block: what touches across a border between blocks is related."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse.csgraph import connected_components

from segkit.geometry.block_grid import BlockGrid, Box
from segkit.instances.seeds import order_of


def border_contacts(labels: Any, grid: BlockGrid, *, connectivity: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return which regions touch across the borders between blocks, and in how many pairs of voxels.

    Args:
        labels: Ids of the whole array, different in all blocks; 0 is background, and the sign does not count. Read
            plane by plane.
        grid: How the array was cut.
        connectivity: Number of axes along which touching voxels may differ by one, from 1 (faces) to the number of
            axes, as in ``skimage.measure.label``.

    Returns:
        Pairs of different ids, int64, ``(n, 2)``, each once with the smaller id first, increasing; and the number of
        contacts of each, ``(n,)``.

    Example:
        >>> labels = np.array([[1, 0, 3, 3], [1, 1, 3, 0], [2, 2, 4, 4]])
        >>> border_contacts(labels, BlockGrid((3, 4), (2, 2), (0, 0)))
        (array([[1, 2],
               [1, 3],
               [2, 4],
               [3, 4]]), array([2, 1, 1, 1]))
    """
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))]
    # Steps within the plane of a border; crossing the border is one more axis along which the voxels differ.
    steps = [
        step
        for step in itertools.product((-1, 0, 1), repeat=len(grid.shape) - 1)
        if np.count_nonzero(step) < connectivity
    ]
    for axis, start in grid.borders():
        # The two planes of voxels on either side, each without the axis.
        before, behind = (np.abs(np.asarray(labels[(slice(None),) * axis + (place,)])) for place in (start - 1, start))
        found += [_contacts(before, behind, step) for step in steps]
    pairs, counts = (np.concatenate(part) for part in zip(*found, strict=True))
    # A pair may touch across several borders: its contacts are summed.
    pairs, places = np.unique(pairs, axis=0, return_inverse=True)
    # `ravel`: NumPy 2.0 returns the inverse with the number of axes of its input.
    return pairs, np.bincount(places.ravel(), weights=counts, minlength=len(pairs)).astype(np.int64)


def connected_ids(pairs: np.ndarray, num_ids: int) -> np.ndarray:
    """Return for every id the group of ids that it is connected with, directly or through others.

    Args:
        pairs: Ids that belong together, from 1 on, ``(n, 2)``.
        num_ids: The largest id.

    Returns:
        Groups from 1 on in the order of their smallest ids, int64, ``(num_ids + 1,)``; 0 for id 0.

    Example:
        >>> connected_ids(np.array([[1, 4], [4, 3]]), 5)
        array([0, 1, 2, 1, 1, 3])
    """
    graph = sparse.coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(num_ids + 1, num_ids + 1))
    _, member = connected_components(graph, directed=False)
    return member.astype(np.int64)  # id 0 is in no pair and comes first


def absorb_fragments(pairs: np.ndarray, contacts: np.ndarray, *, num_seeded: int, num_ids: int) -> np.ndarray:
    """Join fragments without a seed, whose seed lies beyond the halo of their block, to what they touch.

    From the largest contact down, a fragment becomes one with its neighbour. Two regions that have a seed, or are
    joined to one that has, stay two.

    Args:
        pairs: Ids that touch, as ``border_contacts`` returns them.
        contacts: Number of contacts of each.
        num_seeded: Ids up to this one have a seed; those above are fragments.
        num_ids: The largest id.

    Returns:
        For every id the smallest id that it is joined with, int64, ``(num_ids + 1,)``.

    Example:
        >>> absorb_fragments(np.array([[1, 3], [2, 3]]), np.array([5, 9]), num_seeded=2, num_ids=3)
        array([0, 1, 2, 2])
    """
    has_fragment = pairs[:, 1] > num_seeded  # the larger id of a pair
    pairs, contacts = pairs[has_fragment], contacts[has_fragment]
    groups = DisjointSet(np.unique(pairs).tolist())
    smallest = {member: member for member in groups}  # of a group, by its root: whether it has a seed
    # A stable order makes equal contacts independent of the sorting algorithm.
    for first, second in pairs[np.argsort(-contacts, kind="stable")].tolist():
        ends = smallest[groups[first]], smallest[groups[second]]
        # At least one of the two groups has no seed.
        if max(ends) > num_seeded and groups.merge(first, second):
            smallest[groups[first]] = min(ends)
    numbers = np.arange(num_ids + 1)
    for member in groups:
        numbers[member] = smallest[groups[member]]
    return numbers


def ranks_of_keys(
    blocks: Iterable[tuple[Box, np.ndarray, np.ndarray]], shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Number regions in the order in which they begin in the whole array, whatever the order of the blocks.

    Args:
        blocks: For each block its place, where in it voxels belong to a region (bool), and a key of the region, an
            integer, for each of these voxels.
        shape: Extent of the whole array.

    Returns:
        All keys, increasing, and the rank of the first voxel of each, from 1 on.
    """
    keys, firsts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for core, chosen, found in blocks:
        known, first = np.unique(found, return_index=True)
        # First voxel of each key in this block, as coordinates of the whole array.
        places = [at[first] + part.start for at, part in zip(np.nonzero(chosen), core, strict=True)]
        keys.append(known)
        firsts.append(np.ravel_multi_index(places, tuple(shape)))
    # A region may span blocks. Sorted by place, `np.unique` finds the earliest of its first voxels.
    order = np.argsort(np.concatenate(firsts))
    known, begins = np.unique(np.concatenate(keys)[order], return_index=True)
    return known, order_of(begins)


def _contacts(before: np.ndarray, behind: np.ndarray, step: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of different ids of two planes, the second moved by a step, and how often each occurs."""
    # For each axis the part of `before` and the part of `behind` that lie opposite each other, s voxels apart.
    parts = [
        (slice(max(0, -s), size - max(0, s)), slice(max(0, s), size - max(0, -s)))
        for s, size in zip(step, before.shape, strict=True)
    ]
    first, second = before[tuple(a for a, _ in parts)], behind[tuple(b for _, b in parts)]
    differ = (first > 0) & (second > 0) & (first != second)
    pairs = np.sort(np.stack([first[differ], second[differ]], axis=1).astype(np.int64), axis=1)
    return np.unique(pairs, axis=0, return_counts=True)
