"""HDF5 files, read by a process of their own.

The HDF5 library trusts what a file says: damaged or forged files end the process that reads them. That process is
therefore a child, which is started with the first file; if it ends, the file at fault is reported, and the next request
starts another one.
"""

from __future__ import annotations

import atexit
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from typing import Any

import numpy as np

from segkit.errors import InputError

_PROGRAM = pathlib.Path(__file__).with_name("hdf5_child.py")


class _Child:
    """The child of this process, started when it is first asked for something."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._owner: int | None = None
        self._lock = threading.Lock()

    def ask(self, path: pathlib.Path, num_bytes: int, request: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
        """Return the answer and the bytes behind it, which only a part of a dataset has.

        Raises:
            EOFError: If the child has ended.
        """
        found = os.stat(path)
        stamp = [found.st_ino, found.st_size, found.st_mtime_ns]
        request = {"path": os.fspath(path.absolute()), "stamp": stamp, "num_bytes": num_bytes, **request}
        with self._lock:
            process = self._started()
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise EOFError
                message = json.loads(line)
                values = bytearray(message["num_bytes"])
                if process.stdout.readinto(values) != len(values):
                    raise EOFError
            except BaseException:
                # Ended, or interrupted in the middle of an answer: the next request begins with a new one.
                self.close()
                raise
            return message, values

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                pipe.close()

    def _started(self) -> subprocess.Popen:
        # A process that was forked from this one must not share its pipes.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.close()
            self._owner = os.getpid()
            # -P: the modules beside the program do not hide others of their names.
            self._process = subprocess.Popen(
                [sys.executable, "-P", os.fspath(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


_DESCRIBED_BYTES = 20_000_000
"""Of larger files the description is allowed no more time than of one of this size."""

_CHILD = _Child()
atexit.register(_CHILD.close)


def describe_hdf5(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Return what each dataset of a file is, by its name.

    Each has ``shape`` (``None`` for an empty dataset), ``dtype`` (``None`` for other values than numbers),
    ``type_name``, ``compression``, ``attributes``, ``external`` (files that hold its values), ``sources`` (file and
    dataset of each part of a virtual dataset), ``chunks`` and ``stored_chunks``.

    Raises:
        InputError: If the file cannot be read as HDF5.
    """
    # Thousands of datasets take time: each some hundred bytes, and as long as ten times as many of values.
    allowed = 10 * min(path.stat().st_size, _DESCRIBED_BYTES)
    return _asked(path, allowed, {"do": "describe"})[0]


def read_hdf5_region(path: pathlib.Path, dataset: str, picks: tuple[int | slice, ...], dtype: np.dtype) -> np.ndarray:
    """Return a part of a dataset.

    Args:
        path: The file.
        dataset: Its name in the file.
        picks: An integer or a slice with bounds and a positive step for every axis.
        dtype: Type of the values, in the machine's byte order.

    Raises:
        InputError: If it cannot be read.
    """
    shape = tuple(len(range(p.start, p.stop, p.step or 1)) for p in picks if isinstance(p, slice))
    num_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    stored = [[p.start, p.stop, p.step or 1] if isinstance(p, slice) else int(p) for p in picks]
    answer, values = _asked(path, num_bytes, {"do": "read", "dataset": dataset, "picks": stored})
    if tuple(answer["shape"]) != shape or np.dtype(answer["dtype"]) != dtype:
        raise InputError(f"{path}: {dataset} has changed while it was read; start again when it is complete")
    return np.frombuffer(values, dtype).reshape(shape)


def check_hdf5_values(path: pathlib.Path) -> None:
    """Read every value of a file once.

    Raises:
        InputError: If one cannot be read.
    """
    _asked(path, path.stat().st_size, {"do": "read_all"})


def _asked(path: pathlib.Path, num_bytes: int, request: dict[str, Any]) -> tuple[Any, bytearray]:
    try:
        message, values = _CHILD.ask(path, num_bytes, request)
    except (EOFError, BrokenPipeError):
        raise InputError(
            f"{path}: damaged: it crashes the HDF5 library; copy the file again, or write it again with the "
            "program it came from"
        ) from None
    if "fault" in message:
        raise InputError(_unreadable(path, " ".join(message["fault"].split())))
    return message["answer"], values


def _unreadable(path: pathlib.Path, fault: str) -> str:
    # The HDF5 library states both sizes of a truncated file in its message.
    cut = re.search(r"eof = (\d+).*stored_eof = (\d+)", fault)
    if cut:
        found, expected = int(cut[1]), int(cut[2])
        return f"{path}: cut off: found {found:,} bytes, expected {expected:,}; copy the file again"
    return f"{path}: cannot be read as HDF5 ({fault}); check that it is what its name says, or copy it again"
