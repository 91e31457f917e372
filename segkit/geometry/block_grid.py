"""Cutting an array into blocks that overlap their neighbours by a halo."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

Box = tuple[slice, ...]
"""A box of an array: one ``slice`` with start and stop per axis."""


class BlockGrid:
    """A regular grid of blocks that cover an array of any number of axes.

    The cores of the blocks are disjoint and cover the array; the last core along an axis ends at the border of the
    array and may be smaller. The halo around a core is clipped at the border of the array.

    Args:
        shape: Extent of the array along each axis [voxels], positive.
        block_shape: Extent of a core along each axis [voxels], positive.
        halo: Width of the context around a core along each axis [voxels], not negative.

    Attributes:
        starts: Range of the first voxels of the cores, per axis.
        counts: Number of blocks along each axis.

    Raises:
        ValueError: If the arguments differ in length or an entry is out of range.

    Example:
        >>> grid = BlockGrid((5,), (3,), (1,))
        >>> [(core, grid.around(core)) for core in grid.cores()]
        [((slice(0, 3, None),), (slice(0, 4, None),)), ((slice(3, 5, None),), (slice(2, 5, None),))]
    """

    def __init__(self, shape: Sequence[int], block_shape: Sequence[int], halo: Sequence[int]) -> None:
        self.shape, self.block_shape, self.halo = tuple(shape), tuple(block_shape), tuple(halo)
        if not len(self.shape) == len(self.block_shape) == len(self.halo):
            raise ValueError(
                f"`block_shape` and `halo` must have one entry per axis of `shape`. Received: shape={self.shape}, "
                f"block_shape={self.block_shape}, halo={self.halo}"
            )
        if not self.shape or min(self.shape) < 1 or min(self.block_shape) < 1 or min(self.halo) < 0:
            raise ValueError(
                f"`shape` and `block_shape` must be positive and `halo` not negative [voxels]. Received: "
                f"shape={self.shape}, block_shape={self.block_shape}, halo={self.halo}"
            )
        self.starts = tuple(range(0, size, block) for size, block in zip(self.shape, self.block_shape, strict=True))
        self.counts = tuple(map(len, self.starts))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def core(self, index: Sequence[int]) -> Box:
        """Return the core of the block at a position of the grid.

        Args:
            index: Position along each axis, from 0 to below ``counts``.
        """
        places = (starts[i] for i, starts in zip(index, self.starts, strict=True))
        return tuple(
            slice(start, min(start + block, size))
            for start, block, size in zip(places, self.block_shape, self.shape, strict=True)
        )

    def cores(self) -> Iterator[Box]:
        """Yield the core of every block; the last axis varies fastest."""
        return map(self.core, itertools.product(*map(range, self.counts)))

    def around(self, core: Box) -> Box:
        """Return the box of a core with its halo, clipped at the border of the array."""
        return tuple(
            slice(max(part.start - width, 0), min(part.stop + width, size))
            for part, width, size in zip(core, self.halo, self.shape, strict=True)
        )

    def borders(self) -> Iterator[tuple[int, int]]:
        """Yield ``(axis, start)`` of every border between blocks: voxels ``start - 1`` and ``start`` lie on its two
        sides."""
        for axis, starts in enumerate(self.starts):
            for start in starts[1:]:
                yield axis, start

    def least_halo(self, voxel_size: Sequence[float]) -> float:
        """Return the smallest context of a voxel at a border between blocks [unit of the voxel size].

        Axes along which there is one block do not count; infinity if there is one block in all.

        Args:
            voxel_size: Extent of a voxel along each axis, positive.
        """
        widths = zip(self.halo, voxel_size, self.counts, strict=True)
        return min((width * extent for width, extent, count in widths if count > 1), default=math.inf)


def inside(core: Box, box: Box) -> Box:
    """Return where a core is within a box that contains it, relative to the box.

    Example:
        >>> inside((slice(3, 5),), (slice(2, 5),))
        (slice(1, 3, None),)
    """
    return tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(core, box, strict=True))
