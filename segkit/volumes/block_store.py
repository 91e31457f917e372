"""Finished blocks of a result on disk, written by any number of processes and found again by the next."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid, Box
from segkit.volumes.block_file import block_parts, is_whole, read_counts, read_rows, write_parts
from segkit.volumes.file_lock import FileLock

_IDENTITY = "identity.json"
_MADE, _OUTCOME = "made.json", "outcome.json"  # of a result that is made, and of one that is in its place
_BLOCKS, _CLAIMS, _WORK = "blocks", "claims", "work"
# Locks: `setup` while a process enters or leaves, `use` shared by all that are inside (whoever has it exclusively is
# alone), `finish` while one of them makes the result.
_SETUP, _USE, _FINISH = "setup.lock", "use.lock", "finish.lock"
_OWN = {_IDENTITY, _MADE, _OUTCOME, _BLOCKS, _CLAIMS, _WORK, _SETUP, _USE, _FINISH}
_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")  # what a file is called until it is whole
_BEFORE = {"task.json", "slices.bin", "trial", "objects"}  # what the version before left in such a folder

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

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
        self._use, self._claims = FileLock(self.folder / _USE), {}
        self._finished: set[Position] = set()
        try:
            self._open(grid)
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
            with self._removal_told():
                entries = os.listdir(self.folder / _BLOCKS)
            names = (pathlib.Path(entry).stem for entry in entries if entry.endswith(".npy"))
            self._finished = {tuple(map(int, name.split("."))) for name in names}
        return self._finished

    def claim(self, position: Position) -> bool:
        """Reserve a block for this store, until it is written or given back, or the process ends.

        Returns:
            Whether the block is this store's to compute; not if it is finished, or another's.
        """
        position = tuple(position)
        if position in self._claims or position in self._finished:
            return False
        lock = FileLock(self.folder / _CLAIMS / _name(position))
        with self._removal_told():
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
            array: The block, without halo; cast to the store's type.
            counts: Counts of every name the store knows; zeros where left out.

        Raises:
            InputError: If the disk is full.
            ValueError: If a shape does not fit.
        """
        position = tuple(position)
        array = np.asarray(array)
        if array.shape != (expected := self._block_shape(position)):
            raise ValueError(f"block {position} must have the shape {expected}. Received: shape={array.shape}")
        parts = block_parts(array.astype(self.dtype, copy=False), self._checked(counts or {}))
        self._write_whole(self._path(position), parts)
        self._finished.add(position)
        self.release(position)

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
            with self._removal_told():
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
        with self._removal_told():
            if not lock.acquire(wait=False):
                _log.info("%s: another process writes the result; waiting for it", self.folder)
                lock.acquire()
        try:
            # Another process has made it while this one waited for the lock, or died before it was in its place.
            found = self.outcome_in(self.folder)
            if found is None or not publish(found):
                (self.folder / _OUTCOME).unlink(missing_ok=True)
                found = make()
                self._write_whole(self.folder / _MADE, [json.dumps(found).encode()])
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
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
                return json.loads(pathlib.Path(folder, name).read_text(encoding="utf-8"))
        return None

    def close(self) -> None:
        """Leave the folder, and remove it if no other process uses it and its result is finished or no block is."""
        for position in list(self._claims):
            self.release(position)
        if not self._use.held:
            return
        setup = FileLock(self.folder / _SETUP)
        try:
            setup.acquire()
            # From shared to exclusive: granted only where no other process is inside; `setup` keeps others out.
            if self._use.acquire(wait=False) and self._is_over():
                self._clear()
                (self.folder / _IDENTITY).unlink(missing_ok=True)
                self._use.release(remove=True)
                setup.release(remove=True)
                with contextlib.suppress(OSError):  # the next process is there already
                    self.folder.rmdir()
        except FileNotFoundError:
            pass  # without locks, another process has removed it
        except PermissionError:
            if self._use.is_real:
                raise
            # On Windows, files that another process has open cannot be removed: it removes the folder.
        finally:
            self._use.release()
            setup.release()

    def __enter__(self) -> BlockStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        ask = {"grid": self.grid, "dtype": self.dtype, "channels": self._channels, "counts": self._counts}
        return _opened, (self.folder, self._identity, ask)

    def _open(self, grid: BlockGrid | Callable[[tuple[int, ...] | None], BlockGrid]) -> None:
        setup = FileLock(self.folder / _SETUP)
        # Enter the folder, alone until it is set up.
        while not setup.held:
            self._make_folder()
            # The last process in it may be removing the folder just now.
            with contextlib.suppress(FileNotFoundError):
                if not (self.folder / _IDENTITY).exists():
                    self._refuse_foreign_files()  # before the lock, whose file would stay in somebody else's folder
                setup.acquire()
        with setup:
            self.grid = grid if isinstance(grid, BlockGrid) else grid(self._begun_block_shape())
            self._enter()
            self.finished(refresh=True)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
        except FileExistsError as fault:  # also where another process removed the folder in between
            if os.path.lexists(self.folder) and not self.folder.is_dir():
                raise InputError(
                    f"{self.folder}: is a file, expected a folder for unfinished blocks; move it away"
                ) from fault

    def _enter(self) -> None:
        """Join the processes in the folder, or take it over where there are none; one process at a time does so."""
        if not self._use.acquire(wait=False):
            # Others are inside: join them if they compute the same.
            self._use.acquire(shared=True)
            if different := self._differences():
                self._use.release()
                raise InputError(
                    f"{self.folder}: another process is computing something else here (different "
                    f"{' and '.join(different)}); wait for it, or choose another output"
                )
            return
        if not self._use.is_real and (self.folder / _IDENTITY).exists():
            # Others may be in the folder unseen, so nothing in it is removed.
            if different := self._differences():
                raise InputError(
                    f"{self.folder}: holds unfinished work with different {' and '.join(different)}, and the file "
                    "system has no locks that tell whether a process is still computing it; delete the folder if "
                    "none is, or choose another output"
                )
            self._drop_torn_blocks()
        elif not self._is_ours():
            self._start()
        else:
            self._make_folders()  # a process that was killed while it removed them may have left some
            self._drop_torn_blocks()
            self._drop_leftovers()
        self._use.acquire(shared=True)

    def _is_over(self) -> bool:
        if (self.folder / _OUTCOME).exists():
            return True
        # Without locks this may not be the last process, and another one may finish blocks yet.
        return self._use.is_real and not self.finished(refresh=True)

    def _description(self) -> dict[str, Any]:
        layout = {
            "shape": list(self.grid.shape),
            "block_shape": list(self.grid.block_shape),
            "dtype": self.dtype.str,
            "channels": list(self._channels),
            "counts": {name: list(shape) for name, shape in self._counts.items()},
        }
        return {**self._identity, "blocks": layout}

    def _found_identity(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / _IDENTITY).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        return found if isinstance(found, dict) else None

    def _begun_block_shape(self) -> tuple[int, ...] | None:
        """Return the shape of the blocks in the folder, if they are of this identity."""
        found = self._found_identity() or {}
        layout = found.pop("blocks", None)
        return tuple(layout["block_shape"]) if layout and found == self._identity else None

    def _differences(self) -> list[str]:
        """Return which entries of the identity in the folder are not ours."""
        ours, found = self._description(), self._found_identity()
        if found is None:
            return ["identity"]
        return [key for key in {**ours, **found} if found.get(key) != ours.get(key)]

    def _is_ours(self) -> bool:
        if not (self.folder / _IDENTITY).exists():
            if any((self.folder / name).exists() for name in _BEFORE):
                _log.warning("%s: holds unfinished work of an older version; starting over", self.folder)
            return False
        if different := self._differences():
            _log.warning(
                "%s: holds unfinished work with different %s; starting over", self.folder, " and ".join(different)
            )
        return not different

    def _refuse_foreign_files(self) -> None:
        names = {entry.name for entry in self.folder.iterdir()} - _OWN - _BEFORE
        # Another process may be writing a file just now, or may have been killed while it did.
        if foreign := {name for name in names if not ((own := _UNFINISHED.fullmatch(name)) and own[1] in _OWN)}:
            raise InputError(
                f"{self.folder}: holds {min(foreign)}, expected nothing but unfinished blocks; move the folder away"
            )

    def _start(self) -> None:
        self._refuse_foreign_files()
        # The identity comes last: without it the folder counts as new.
        (self.folder / _IDENTITY).unlink(missing_ok=True)
        self._clear()
        self._make_folders()
        self._write_whole(self.folder / _IDENTITY, [json.dumps(self._description(), indent=2).encode()])

    def _make_folders(self) -> None:
        for name in (_BLOCKS, _CLAIMS, _WORK):
            (self.folder / name).mkdir(exist_ok=True)

    def _clear(self) -> None:
        """Remove everything but the locks that are held and the identity."""
        for name in (_BLOCKS, _CLAIMS, _WORK, *_BEFORE):
            if (self.folder / name).is_dir():
                shutil.rmtree(self.folder / name)
            else:
                (self.folder / name).unlink(missing_ok=True)
        for name in (_MADE, _OUTCOME, _FINISH):
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _drop_leftovers(self) -> None:
        """Remove what killed processes left: claims, half-written files and the caller's work."""
        for path in itertools.chain((self.folder / _CLAIMS).iterdir(), self.folder.rglob(".*.tmp")):
            path.unlink(missing_ok=True)
        if self.outcome_in(self.folder) is None:  # else it holds what is to be published
            shutil.rmtree(self.work_folder, ignore_errors=True)
        self.work_folder.mkdir(exist_ok=True)

    def _drop_torn_blocks(self) -> None:
        for position in self.finished(refresh=True):
            if not is_whole(self._path(position)):
                _log.warning("%s: block %s is damaged; computing it again", self.folder, _name(position))
                self._path(position).unlink(missing_ok=True)

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
            with self._removal_told():
                os.stat(self.folder / _BLOCKS)
            raise KeyError(position) from fault

    def _write_whole(self, path: pathlib.Path, parts: Sequence[Any]) -> None:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with self._removal_told():
                write_parts(partial, parts)
                os.replace(partial, path)
        except OSError as fault:
            if fault.errno in _FULL:
                raise InputError(
                    f"{self.folder}: the disk is full after {len(self._finished)} of {len(self.grid)} blocks; free "
                    "some space and run the same command again, it resumes from there"
                ) from fault
            raise
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _removal_told(self) -> Iterator[None]:
        """Say in one line that the folder was removed: by hand, or where another process could not see this one."""
        try:
            yield
        except FileNotFoundError as fault:
            if (self.folder / _BLOCKS).exists():
                raise
            raise InputError(
                f"{self.folder}: was removed meanwhile, by another process that has finished the result or by hand; "
                "run the same command again if there is no result"
            ) from fault


def _name(position: Position) -> str:
    return ".".join(map(str, position))


def _opened(folder: pathlib.Path, identity: dict[str, Any], ask: dict[str, Any]) -> BlockStore:
    return BlockStore(folder, identity, **ask)
