"""Finished blocks of a result on disk, written by any number of processes and found again by the next."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import logging
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid, Box
from segkit.json_object import read_object
from segkit.volumes.block_file import block_parts, is_whole, read_counts, read_rows
from segkit.volumes.file_lock import FileLock
from segkit.volumes.shared_folder import SharedFolder

_MADE, _OUTCOME = "made.json", "outcome.json"  # of a result that is made, and of one that is in its place
_BLOCKS, _CLAIMS, _WORK = "blocks", "claims", "work"
_FINISH = "finish.lock"  # held while a process makes the result
_FOLDERS, _FILES = (_BLOCKS, _CLAIMS, _WORK), (_MADE, _OUTCOME, _FINISH)
_BEFORE = ("task.json", "slices.bin", "trial", "objects")  # what the version before left in such a folder

_log = logging.getLogger(__name__)

Position = tuple[int, ...]
"""Place of a block in its grid, one index per axis."""


class BlockStore:
    """Finished blocks in a folder, which several processes may fill together.

    A block is a file of its own, an array in NumPy's format followed by small counts and a checksum, written under
    another name and renamed: it is complete or absent, also after ``kill -9``. What a power cut may tear, as
    nothing is forced to disk, is found by the checksum when the store is opened again, and thrown away.

    Processes that open one folder with one identity share the work: each claims a block before it computes it. A claim
    ends with its process. Another identity is refused while a process has the folder open, and takes it over
    afterwards.

    A context manager; when the last process leaves, the folder is removed if the result is finished or no block is.

    Where the file system has no locks every claim is granted: a block may be computed twice, and the second replaces
    the first. Nobody knows then whether others have the folder open. So another identity is always refused, an empty
    folder stays, and the first process that leaves a finished result removes the folder; others that still need it
    end in one line.

    A store can be pickled; unpickling opens the folder once more.

    Args:
        folder: Where the blocks are; created if missing.
        identity: What is computed, as ``json`` reads it back. Blocks of another identity are thrown away, with a line
            in the log.
        grid: How the array is cut; blocks are stored without halo. Or a function that returns it, called with the
            block shape of the blocks of this identity that the folder holds, or ``None`` for none: whoever opens the
            folder first decides.
        dtype: Type of the elements.
        channels: Extent of further axes, behind those of the grid.
        counts: Shape of each array of counts (int64) stored with every block, by name.

    Raises:
        InputError: If the folder holds something else, or another process works in it on something else; by any method
            that finds the folder removed.

    Attributes:
        folder: Where the blocks are.
        grid: How the array is cut.
        dtype: Type of the elements.
        was_empty: Whether the folder held no block of this identity when it was opened.
        work_folder: A folder for files of the caller, removed with the store, and when no process has it open unless
            a result was made and not yet published.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        identity: Mapping[str, Any],
        *,
        grid: BlockGrid | Callable[[tuple[int, ...] | None], BlockGrid],
        dtype: Any,
        channels: Sequence[int] = (),
        counts: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.folder, self.dtype = pathlib.Path(folder), np.dtype(dtype)
        self._identity, self._channels = dict(identity), tuple(channels)
        self._counts = {name: tuple(shape) for name, shape in (counts or {}).items()}
        self.work_folder = self.folder / _WORK
        self._shared = SharedFolder(self.folder, folders=_FOLDERS, files=_FILES, before=_BEFORE)
        self._claims: dict[Position, FileLock] = {}
        self._finished: set[Position] = set()
        try:
            self._shared.enter(functools.partial(self._described, grid), self._look_through)
            self.finished(refresh=True)
        except BaseException:
            self.close()  # also where a signal ends the process meanwhile
            raise
        self.was_empty = not self._finished

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the whole array, ``channels`` included."""
        return (*self.grid.shape, *self._channels)

    def finished(self, *, refresh: bool = False) -> Set[Position]:
        """Return the positions of finished blocks, not to be changed.

        Args:
            refresh: Look for blocks that other processes have finished since.
        """
        if refresh:
            with self._shared.removal_told():
                entries = os.listdir(self.folder / _BLOCKS)
            names = (pathlib.Path(entry).stem for entry in entries if entry.endswith(".npy"))
            self._finished = {tuple(map(int, name.split("."))) for name in names}
        return self._finished

    def finished_before(self, time: float) -> Set[Position]:
        """Return the positions of blocks that were finished before a time.

        Args:
            time: The time [s since the epoch].
        """
        found = set()
        for position in self._finished:
            with contextlib.suppress(FileNotFoundError):  # of a result that another process has published meanwhile
                if os.stat(self._path(position)).st_mtime < time:
                    found.add(position)
        return found

    def claim(self, position: Position) -> bool:
        """Reserve a block for this store, until it is written or given back, or the process ends.

        Returns:
            Whether the block is this store's to compute; not if it is finished, or another's.
        """
        position = tuple(position)
        if position in self._claims or position in self._finished:
            return False
        lock = FileLock(self.folder / _CLAIMS / _name(position))
        with self._shared.removal_told():
            if not lock.acquire(wait=False):
                return False
        # Only now: another process may have finished it between a look and the lock.
        if self._path(position).exists():
            self._finished.add(position)
            lock.release(remove=True)
            return False
        self._claims[position] = lock
        return True

    def release(self, position: Position) -> None:
        """Release a claim, if there is one."""
        if (lock := self._claims.pop(tuple(position), None)) is not None:
            lock.release(remove=True)

    @property
    def claims(self) -> set[Position]:
        """Positions that this store has claimed and not yet written."""
        return set(self._claims)

    def write(self, position: Position, array: np.ndarray, counts: Mapping[str, Any] | None = None) -> None:
        """Store a finished block, and release its claim.

        Args:
            position: Place in the grid.
            array: The block, without halo; cast to the store's type, which must be able to hold its values (a
                floating-point type rounds them).
            counts: Counts of every name the store knows; zeros where left out.

        Raises:
            InputError: If the disk is full.
            ValueError: If a shape does not fit, or values do not: fractions are not cut off, nor do numbers overflow.
        """
        position = tuple(position)
        array = np.asarray(array)
        if array.shape != (expected := self._block_shape(position)):
            raise ValueError(f"block {position} must have the shape {expected}. Received: shape={array.shape}")
        parts = block_parts(self._kept(array, position), self._checked(counts or {}))
        state = f" after {len(self._finished)} of {len(self.grid)} blocks"
        self._shared.write_whole(self._path(position), parts, state=state)
        self._finished.add(position)
        self.release(position)

    def _kept(self, array: np.ndarray, position: Position) -> np.ndarray:
        """Return a block in the store's type, which keeps its values."""
        if self.dtype.kind == "b" or np.can_cast(array.dtype, self.dtype, "safe"):
            return array.astype(self.dtype, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):  # of what is out of range, and refused
            kept = array.astype(self.dtype)
        # Floating-point stores round.
        is_kept = np.array_equal(kept, array) if self.dtype.kind in "iu" else (np.isinf(kept) == np.isinf(array)).all()
        if not is_kept:
            raise ValueError(
                f"block {position} must hold values that {self.dtype} can keep, the type of the store; round or clip "
                f"them, or give the store another type. Received: dtype={array.dtype}"
            )
        return kept

    def read_block(self, position: Position) -> np.ndarray:
        """Return a finished block.

        Raises:
            KeyError: If it is not finished.
        """
        position = tuple(position)
        return self._read_rows(position, 0, self._block_shape(position)[0])

    def read(self, box: Box) -> np.ndarray:
        """Return a box of the array; elements of blocks that are not finished are 0.

        Args:
            box: A slice with start and stop per axis of the grid, in steps of 1.
        """
        found = np.zeros([*(part.stop - part.start for part in box), *self._channels], self.dtype)
        # Indices of the blocks that the box meets, per axis; the stop is rounded up.
        touched = [
            range(part.start // size, -(-part.stop // size))
            for part, size in zip(box, self.grid.block_shape, strict=True)
        ]
        for position in itertools.product(*touched):
            core = self.grid.core(position)
            # The common part, then where it lies in the block (`here`) and in the box (`there`).
            common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(core, box, strict=True)]
            here = [slice(c.start - a.start, c.stop - a.start) for c, a in zip(common, core, strict=True)]
            there = [slice(c.start - a.start, c.stop - a.start) for c, a in zip(common, box, strict=True)]
            # Blocks that are not finished stay 0.
            with contextlib.suppress(KeyError):
                rows = self._read_rows(position, here[0].start, here[0].stop)
                found[tuple(there)] = rows[(slice(None), *here[1:])]
        return found

    def read_slice(self, index: int) -> np.ndarray:
        """Return everything at an index of the first axis; elements of blocks that are not finished are 0.

        Raises:
            IndexError: If there is no such index.
        """
        if not 0 <= index < self.shape[0]:
            raise IndexError(f"`index` must be from 0 to below {self.shape[0]}. Received: {index}")
        return self.read((slice(index, index + 1), *(slice(0, size) for size in self.grid.shape[1:])))[0]

    def totals(self) -> dict[str, np.ndarray]:
        """Return the counts of all finished blocks together, int64, by name."""
        totals = {name: np.zeros(shape, np.int64) for name, shape in self._counts.items()}
        for position in self.finished(refresh=True):
            with self._shared.removal_told():
                counts = read_counts(self._path(position))
            for name, values in counts.items():
                totals[name] += np.asarray(values, np.int64)
        return totals

    def finish(
        self, make: Callable[[], dict[str, Any]], publish: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Make the result of all blocks in exactly one of the processes; the others wait for it.

        Once it has returned, the result counts as finished: the blocks are removed when the last process leaves. Where
        the process that makes it fails or dies, the next one does it, also one that opens the folder later.

        Args:
            make: Called by one process; returns what the others have to know of it, as ``json`` reads it back.
            publish: Called with that after it was stored, to put what ``make`` has prepared in its place. A process may
                die at any moment of it, so it must be able to resume what another one began. Returns whether the
                result is in its place now; if it is lost, it is made again.

        Returns:
            What ``make`` returned, in all processes.
        """
        lock = FileLock(self.folder / _FINISH)
        with self._shared.removal_told():
            if not lock.acquire(wait=False):
                _log.info("%s: another process is writing the result; waiting for it", self.folder)
                lock.acquire()
        try:
            # Another process has made it while this one waited for the lock, or died before it was in its place.
            found = self.outcome_in(self.folder)
            if found is None or not publish(found):
                (self.folder / _OUTCOME).unlink(missing_ok=True)
                found = make()
                self._shared.write_whole(self.folder / _MADE, [json.dumps(found).encode()])
                publish(found)
            if (self.folder / _MADE).exists():
                os.replace(self.folder / _MADE, self.folder / _OUTCOME)
            return found
        finally:
            lock.release()

    @staticmethod
    def outcome_in(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
        """Return what ``finish`` has stored in a folder, whether the result was published or not yet.

        Args:
            folder: Folder of a store, which need not be open, or exist.
        """
        for name in (_OUTCOME, _MADE):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, InputError):
                return read_object(pathlib.Path(folder, name), "the outcome of a prediction")
        return None

    def close(self) -> None:
        """Leave the folder, and remove it if no other process uses it and its result is finished or no block is."""
        for position in list(self._claims):
            self.release(position)
        self._shared.leave(self._is_over)

    def __enter__(self) -> BlockStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        ask = {"grid": self.grid, "dtype": self.dtype, "channels": self._channels, "counts": self._counts}
        return _opened, (self.folder, self._identity, ask)

    def _described(
        self, grid: BlockGrid | Callable[[tuple[int, ...] | None], BlockGrid], found: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Settle on the grid, and return what is computed here.

        Args:
            grid: The grid, or what makes it of the shape of the blocks that are there.
            found: What was computed in the folder before.
        """
        known = dict(found or {})
        begun = known.pop("blocks", None)
        if callable(grid):
            grid = grid(tuple(begun["block_shape"]) if begun and known == self._identity else None)
        self.grid = grid
        layout = {
            "shape": list(grid.shape),
            "block_shape": list(grid.block_shape),
            "dtype": self.dtype.str,
            "channels": list(self._channels),
            "counts": {name: list(shape) for name, shape in self._counts.items()},
        }
        return {**self._identity, "blocks": layout}

    def _look_through(self, is_alone: bool) -> None:
        """Remove what killed processes left."""
        for position in self.finished(refresh=True):
            if not is_whole(self._path(position)):
                _log.warning("%s: block %s is damaged; computing it again", self.folder, _name(position))
                self._path(position).unlink(missing_ok=True)
        # Without locks, claims and work may be those of another process that is running.
        if not is_alone:
            return
        for path in itertools.chain((self.folder / _CLAIMS).iterdir(), self.folder.rglob(".*.tmp")):
            path.unlink(missing_ok=True)
        if self.outcome_in(self.folder) is None:  # else it holds what is to be published
            shutil.rmtree(self.work_folder, ignore_errors=True)
        self.work_folder.mkdir(exist_ok=True)

    def _is_over(self, is_alone: bool) -> bool:
        if (self.folder / _OUTCOME).exists():
            return True
        # Another process may finish blocks yet.
        return is_alone and not self.finished(refresh=True)

    def _block_shape(self, position: Position) -> tuple[int, ...]:
        return (*(part.stop - part.start for part in self.grid.core(position)), *self._channels)

    def _checked(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := set(counts) - set(self._counts):
            raise ValueError(f"`counts` must be of {sorted(self._counts)}. Received: {sorted(unknown)}")
        found = {}
        for name, shape in self._counts.items():
            values = np.asarray(counts.get(name, np.zeros(shape)))
            if values.shape != shape:
                raise ValueError(f"`counts[{name!r}]` must have the shape {shape}. Received: shape={values.shape}")
            found[name] = values.astype(np.int64).tolist()
        return found

    def _path(self, position: Position) -> pathlib.Path:
        return self.folder / _BLOCKS / f"{_name(position)}.npy"

    def _read_rows(self, position: Position, start: int, stop: int) -> np.ndarray:
        """Return a span of the first axis of a finished block; ``KeyError`` where it is not finished."""
        try:
            return read_rows(self._path(position), start, stop, shape=self._block_shape(position), dtype=self.dtype)
        except FileNotFoundError as fault:
            with self._shared.removal_told():
                os.stat(self.folder / _BLOCKS)
            raise KeyError(position) from fault


def _name(position: Position) -> str:
    return ".".join(map(str, position))


def _opened(folder: pathlib.Path, identity: dict[str, Any], ask: dict[str, Any]) -> BlockStore:
    return BlockStore(folder, identity, **ask)
