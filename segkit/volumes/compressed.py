"""Compressed files: unpacked as a stream, so that no volume has to fit into memory."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import pathlib
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from segkit.errors import InputError

COMPRESSED_SUFFIXES = (".gz", ".bz2")

_CHUNK_BYTES = 2**20
_MAGIC = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}


def is_compressed(path: pathlib.Path) -> bool:
    """Return whether a file is compressed by gzip or bzip2, from its first bytes."""
    with open(path, "rb") as file:
        return file.read(4).startswith(tuple(_MAGIC))


def read_start(path: pathlib.Path, num_bytes: int) -> bytes:
    """Read the first bytes of a file, unpacked if it is compressed; fewer where it is shorter.

    Raises:
        InputError: If the compressed bytes are damaged.
    """
    start = b""
    with _unpacking(path) as stream:
        # One call may return less than asked for without being at the end.
        while len(start) < num_bytes and (chunk := _next_chunk(path, stream, num_bytes - len(start))):
            start += chunk
    return start


def unpacked(
    path: pathlib.Path, expected_bytes: int, *, progress: Callable[[int, int], None] | None = None
) -> IO[bytes]:
    """Unpack a compressed file into a temporary file that vanishes when it is closed.

    The temporary file is created where ``tempfile`` puts it (``TMPDIR``), so that memory stays free.

    Args:
        path: File compressed by gzip or bzip2.
        expected_bytes: Its unpacked size [byte]; what follows is unpacked, to reach the check sum at the end, and
            dropped.
        progress: Called as ``progress(done, total)`` with bytes.

    Returns:
        The open temporary file.

    Raises:
        InputError: If the file is damaged, ends early, or the temporary folder has not enough room.
    """
    _check_room(path, expected_bytes)
    file = tempfile.TemporaryFile()  # noqa: SIM115 (handed to the caller)
    try:
        done = 0
        with _unpacking(path) as stream:
            while done < expected_bytes:
                chunk = _next_chunk(path, stream, expected_bytes - done)
                if not chunk:
                    raise InputError(
                        f"{path}: cut off: found {done:,} unpacked bytes, expected {expected_bytes:,}; "
                        "copy the file again"
                    )
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, expected_bytes)
            # Check sums are compared at the end of the stream: without reaching it, damage would pass unnoticed.
            while _next_chunk(path, stream, _CHUNK_BYTES, must_end=True):
                pass
        file.flush()
    except BaseException as error:
        file.close()
        # Raises the message for the user, unless room has become free again.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _check_room(path, expected_bytes)
        raise
    return file


@contextlib.contextmanager
def packing(path: pathlib.Path, suffix: str) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed as ``suffix`` says (``.gz``, ``.bz2``, else not at all)."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "wb"))
        if suffix == ".gz":
            # No name and no time in it: equal volumes give equal files.
            file = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0))
        elif suffix == ".bz2":
            file = stack.enter_context(bz2.BZ2File(file, "wb"))
        yield file


@contextlib.contextmanager
def _unpacking(path: pathlib.Path) -> Iterator[IO[bytes]]:
    with open(path, "rb") as file:
        start = file.read(4)
        file.seek(0)
        opener = next((opener for magic, opener in _MAGIC.items() if start.startswith(magic)), None)
        if opener is None:
            yield file
        else:
            with opener(file, "rb") as stream:
                yield stream


def _next_chunk(path: pathlib.Path, stream: IO[bytes], at_most: int, *, must_end: bool = False) -> bytes:
    """Read what comes next; nothing at the end, nor where a compressed file breaks off, unless it ``must_end``."""
    try:
        # read1 hands over what was unpacked before the file breaks off, where read would lose it.
        return stream.read1(min(at_most, _CHUNK_BYTES))
    except EOFError as error:
        if must_end:
            raise InputError(f"{path}: cut off: its checksum is missing; copy the file again") from error
        return b""
    except (zlib.error, OSError) as error:
        # gzip and bz2 report damaged data as an OSError without a number.
        if getattr(error, "errno", None) is not None:
            raise
        raise InputError(f"{path}: damaged, its data cannot be unpacked ({error}); copy it again") from error


def _check_room(path: pathlib.Path, needed: int) -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{path}: unpacking needs {needed:,} bytes, found {free:,} free in {folder}; "
            "set TMPDIR to a folder on a larger disk, or unpack the file yourself"
        )
