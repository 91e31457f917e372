"""What computes a result block by block, and what ``map_blocks`` tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from segkit.geometry.block_grid import Box, inside


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of a volume.

    Attributes:
        position: Its place in the grid, one index per axis.
        core: The voxels that it must give a result for.
        box: The core with its halo, clipped at the border of the volume.
    """

    position: tuple[int, ...]
    core: Box
    box: Box

    @property
    def inside(self) -> Box:
        """Position of the core within the box."""
        return inside(self.core, self.box)


@dataclasses.dataclass(frozen=True, eq=False)
class BlockResult:
    """The result for a block.

    Attributes:
        array: Of the core, or of the whole box, of which the core is kept; further axes (channels) may follow.
        counts: Small integers about the core that are summed over all blocks, by name.
    """

    array: np.ndarray
    counts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Engine(Protocol):
    """Compute a block from its voxels: a filter, a solver, a network. Any function of this kind is one."""

    def __call__(self, voxels: np.ndarray, block: Block) -> np.ndarray | BlockResult:
        """Return the result for a block.

        Args:
            voxels: The volume's voxels in ``block.box``.
            block: Their position.

        Returns:
            The result, for the core or for the whole box.
        """


@runtime_checkable
class StreamingEngine(Protocol):
    """Compute blocks out of a stream, reading the volume itself: for networks that take several blocks at a time."""

    def iter_results(self, blocks: Iterator[Block]) -> Iterator[tuple[Block, BlockResult]]:
        """Yield the result of every block that is taken from a stream.

        Taking a block claims it: no other process computes it then. So take no more than are computed together.

        Args:
            blocks: The blocks that no other process computes; finite, but of a length that differs from call to call.

        Yields:
            A block and its result, in any order; each block that was taken exactly once.
        """


class Deferred:
    """How to make a thing that does not travel between processes, such as a network or an open file.

    Args:
        make: Function that makes it; must be importable by its name.
        args: Its positional arguments, which can be pickled.
        kwargs: Its keyword arguments, likewise.

    Example:
        >>> Deferred(int, "101", base=2).made()
        5
    """

    def __init__(self, make: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._make, self._args, self._kwargs = make, args, kwargs

    def made(self) -> Any:
        """Make it."""
        return self._make(*self._args, **self._kwargs)
