"""Finished slices on disk, so that a prediction that was cut off goes on where it stood."""

from __future__ import annotations

import errno
import json
import logging
import pathlib
import shutil
from types import TracebackType
from typing import Any

import numpy as np

from segkit.errors import InputError

_TASK = "task.json"
_SLICES = "slices.bin"
TRIAL = "trial"
"""Name, inside the store's folder, that callers may use for a folder of their own while the store is open."""

OBJECTS = "objects"
"""Name of a folder there for what is made of all slices."""

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

_log = logging.getLogger(__name__)


class SliceStore:
    """Slices in the order in which they were finished, each with its counts, in one file that only grows.

    How far a prediction has come is the length of that file: nothing else has to be kept in step with it, and
    what a killed process left half-written is cut off. Nothing is mapped into memory.

    Args:
        folder: Where it stands; made if missing.
        task: What is predicted, as ``json`` reads it back. Slices of another task are thrown away, with a
            word in the log.
        slice_shape: Shape (y, x) of a slice.
        dtype: Type of its pixels.
        num_labels: Number of counts kept with each slice.

    Raises:
        InputError: If the folder holds something else.

    Attributes:
        done: Number of finished slices.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        task: dict[str, Any],
        *,
        slice_shape: tuple[int, int],
        dtype: np.dtype,
        num_labels: int,
    ) -> None:
        self.folder = folder
        self._record = np.dtype(
            [("slice", dtype, slice_shape), ("voxels", np.int64, (num_labels,)), ("overlap", np.int64)]
        )
        self._path = folder / _SLICES
        if not self._belongs_to(task):
            self._start(task)
        self.done = self._path.stat().st_size // self._record.itemsize
        # Without a buffer, whose rest would fail once more when a full disk is closed.
        self._file = open(self._path, "r+b", buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._file.truncate(self.done * self._record.itemsize)
        self._file.seek(0, 2)

    def append(self, pixels: np.ndarray, voxels: np.ndarray, overlap: int) -> None:
        """Add a finished slice.

        Args:
            pixels: Result, shape (y, x).
            voxels: Voxels of every label.
            overlap: Voxels that several models claimed.

        Raises:
            InputError: If the disk is full.
        """
        parts = []
        for name, values in (("slice", pixels), ("voxels", voxels), ("overlap", overlap)):
            field = self._record[name]
            values = np.asarray(values)
            if values.shape != field.shape:
                raise ValueError(f"`{name}` must have the shape {field.shape}. Received: shape={values.shape}")
            parts.append(values.astype(field.base).tobytes())
        try:
            rest = memoryview(b"".join(parts))
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as fault:
            if fault.errno not in _FULL:
                raise
            raise InputError(
                f"{self.folder}: the disk is full after {self.done} slices; free some room and give the same "
                "command again, it goes on from there"
            ) from fault
        self.done += 1

    def read_slice(self, index: int) -> np.ndarray:
        """Return a finished slice (y, x)."""
        return self._read(index)["slice"]

    def totals(self) -> tuple[np.ndarray, int]:
        """Return the voxels of every label and the voxels claimed several times, over all finished slices."""
        voxels = np.zeros(self._record["voxels"].shape, np.int64)
        overlap = 0
        for index in range(self.done):
            record = self._read(index)
            voxels += record["voxels"]
            overlap += int(record["overlap"])
        return voxels, overlap

    def remove(self) -> None:
        """Delete the folder."""
        self._file.close()
        for name in (_TASK, _SLICES):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / OBJECTS, ignore_errors=True)
        self.folder.rmdir()

    def __enter__(self) -> SliceStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read(self, index: int) -> np.void:
        if not 0 <= index < self.done:
            raise IndexError(f"`index` must be one of {self.done} finished slices. Received: {index}")
        return np.fromfile(self._path, self._record, count=1, offset=index * self._record.itemsize)[0]

    def _belongs_to(self, task: dict[str, Any]) -> bool:
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder}: is a file, expected a place for unfinished slices; move it away")
        try:
            found = json.loads((self.folder / _TASK).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except json.JSONDecodeError:
            found = None
        if found == task and self._path.is_file():
            return True
        changed = [key for key in task if not isinstance(found, dict) or found.get(key) != task[key]]
        _log.warning(
            "%s: holds a prediction that was cut off, with another %s; starting anew",
            self.folder,
            " and ".join(changed) or "layout",
        )
        return False

    def _start(self, task: dict[str, Any]) -> None:
        self.folder.mkdir(exist_ok=True)
        foreign = {entry.name for entry in self.folder.iterdir()} - {_TASK, _SLICES, TRIAL, OBJECTS}
        if foreign:
            raise InputError(
                f"{self.folder}: holds {min(foreign)}, expected nothing but unfinished slices; move the folder away"
            )
        for name in (TRIAL, OBJECTS):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        # The task comes last: without it the folder counts as new.
        (self.folder / _TASK).unlink(missing_ok=True)
        self._path.write_bytes(b"")
        (self.folder / _TASK).write_text(json.dumps(task, indent=2), encoding="utf-8")
