"""Computing a volume block by block, in one process or several, over any number of interruptions."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from segkit.inference.engines import Block, BlockResult, Deferred, Engine, StreamingEngine
from segkit.inference.executors import Executor, InProcess, Share, rising
from segkit.volumes.block_store import BlockStore, Position

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_REFRESH_S = 0.2


def map_blocks(
    engine: Engine | StreamingEngine | Deferred,
    volume: Any,
    store: BlockStore,
    *,
    positions: Sequence[Position] | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Compute the blocks that a store lacks.

    The store's grid says how the volume is cut and how wide the halo is. Other processes, also ones that were started
    independently, may fill the same store at the same time: each block is computed by one of them, and all return when
    all blocks are finished. A block whose process died is computed by another.

    Args:
        engine: What computes a block; a ``Deferred`` makes it in the process that needs it, once, and not at all where
            nothing is left to compute.
        volume: Array of the grid's shape, further axes may follow, read by boxes; or a ``Deferred`` that opens it.
            A ``StreamingEngine`` reads by itself: pass ``None`` then.
        store: Where finished blocks are kept.
        positions: Blocks to compute; all of the grid by default.
        executor: Where to compute; ``InProcess()`` by default.
        progress: Called as ``progress(done, total)`` with the number of finished blocks, once before the first.

    Raises:
        ValueError: If the volume has another extent than the grid, a position is none of the grid's, or the engine's
            result does not fit its block or the type of the store.
        Exception: What the engine raises, as it is. Finished blocks stay.

    Example:
        >>> import tempfile
        >>> from segkit.geometry.block_grid import BlockGrid
        >>> grid = BlockGrid((5, 5), (2, 2), (1, 1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with BlockStore(f"{folder}/sums", {}, grid=grid, dtype=int) as store:
        ...         map_blocks(lambda voxels, block: voxels * voxels.size, np.ones((5, 5), int), store)
        ...         store.read_slice(0).tolist()
        [9, 9, 12, 12, 6]
    """
    if positions is None:
        positions = list(np.ndindex(*store.grid.counts))
    positions = tuple(map(tuple, positions))
    if outside := sorted(set(positions) - set(np.ndindex(*store.grid.counts))):
        raise ValueError(f"`positions` must be blocks of the grid {store.grid.counts}. Received: {outside[0]}")
    _check_extent(volume, store.grid.shape)
    work = BlockWork(engine, volume, store, positions)
    watch = rising(progress)
    done, total = work.state()
    watch(done, total)
    if done < total:
        (InProcess() if executor is None else executor).run(work, watch)
        watch(*work.state())


@dataclasses.dataclass(frozen=True)
class BlockWork:
    """What one process does for a volume; can be pickled where engine and volume can.

    Args:
        engine: What computes a block, or its ``Deferred``.
        volume: The volume, or its ``Deferred``.
        store: Where finished blocks are kept; opened once more where this is unpickled.
        positions: Blocks to compute.
    """

    engine: Any
    volume: Any
    store: BlockStore
    positions: tuple[Position, ...]

    def __call__(self, *, share: Share, on_block: Callable[[int, int], None]) -> None:
        """Compute blocks that no other process computes, until all are finished.

        Raises:
            RuntimeError: If the engine gives no result for a block that it took.
        """
        stream = None
        pause = _FIRST_PAUSE_S
        looked = time.monotonic()
        # Every round tries all blocks that are not finished; `_claimed` skips those of other processes.
        while rest := self._rest(share):
            stream = stream or self._stream()
            before = len(self.store.finished())
            try:
                for block, result in stream(self._claimed(rest)):
                    self.store.write(block.position, _core_of(result.array, block), result.counts)
                    # Listing the folder after every block would be slow where there are many small ones.
                    is_old = time.monotonic() - looked > _REFRESH_S
                    looked = time.monotonic() if is_old else looked
                    on_block(*self.state(refresh=is_old))
                # Such a block would be taken again in every round, without end.
                if left := self.store.claims:
                    raise RuntimeError(f"the engine took block {min(left)} and gave no result for it")
            finally:
                for position in self.store.claims:
                    self.store.release(position)
            if len(self.store.finished()) == before:
                # Others compute all that is left. They may die, so their claims are tried again.
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
                on_block(*self.state())
            else:
                pause = _FIRST_PAUSE_S

    def state(self, *, refresh: bool = True) -> tuple[int, int]:
        """Return how many blocks are finished, and how many there are.

        Args:
            refresh: Count those that other processes have finished since too.
        """
        finished = self.store.finished(refresh=refresh)
        is_all = len(self.positions) == len(self.store.grid)
        return len(finished if is_all else finished & self._wanted), len(self.positions)

    @functools.cached_property
    def _wanted(self) -> frozenset[Position]:
        return frozenset(self.positions)

    def close(self) -> None:
        """Leave the store."""
        self.store.close()

    def _rest(self, share: Share) -> list[Position]:
        finished = self.store.finished(refresh=True)
        rest = [position for position in self.positions if position not in finished]
        # Each process begins at another block, so that they seldom try to claim the same one.
        first = share.index * len(rest) // share.count
        return rest[first:] + rest[:first]

    def _stream(self) -> Callable[[Iterator[Block]], Iterator[tuple[Block, BlockResult]]]:
        engine = _made(self.engine)
        if isinstance(engine, StreamingEngine):
            return engine.iter_results
        # A streaming engine reads by itself; for others the volume is opened here, in the process that computes.
        volume = _made(self.volume)
        _check_extent(volume, self.store.grid.shape)
        return functools.partial(_one_by_one, engine, volume)

    def _claimed(self, positions: Sequence[Position]) -> Iterator[Block]:
        """Claim blocks as they are asked for."""
        grid = self.store.grid
        for position in positions:
            if self.store.claim(position):
                core = grid.core(position)
                yield Block(position, core, grid.around(core))


def _one_by_one(engine: Engine, volume: Any, blocks: Iterator[Block]) -> Iterator[tuple[Block, BlockResult]]:
    for block in blocks:
        # Of an array in memory a copy: an engine may work in place, and the next block reads the same voxels.
        voxels = np.array(volume[block.box]) if isinstance(volume, np.ndarray) else np.asarray(volume[block.box])
        result = engine(voxels, block)
        yield block, result if isinstance(result, BlockResult) else BlockResult(np.asarray(result))


def _check_extent(volume: Any, extent: tuple[int, ...]) -> None:
    """Refuse a volume that blocks of the grid would cover in part, or reach beyond; one that is not open yet is not."""
    if volume is None or isinstance(volume, Deferred):
        return
    if tuple(np.shape(volume)[: len(extent)]) != tuple(extent):
        raise ValueError(f"`volume` must have the extent of the grid, {extent}. Received: shape={np.shape(volume)}")


def _made(thing: Any) -> Any:
    return thing.made() if isinstance(thing, Deferred) else thing


def _core_of(array: np.ndarray, block: Block) -> np.ndarray:
    """Return the core of a result that may be one of the whole box."""
    extents = {name: tuple(part.stop - part.start for part in getattr(block, name)) for name in ("core", "box")}
    # Without the axes of channels, which may follow.
    found = array.shape[: len(block.core)]
    if found == extents["core"]:
        return array
    if found == extents["box"]:
        return array[block.inside]
    raise ValueError(
        f"the engine's result must have the extent of the block, {extents['core']}, or with its halo, "
        f"{extents['box']}. Received: shape={array.shape}"
    )
