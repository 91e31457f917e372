"""One block in a file: an array in NumPy's format, followed by counts and a checksum.

The file is a valid ``.npy`` file of version 1.0 with more bytes behind the array: the counts as ``json`` writes them,
their length, and a checksum of all before (both little-endian ``uint32``).
"""

from __future__ import annotations

import io
import json
import math
import os
import pathlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_TAIL = struct.Struct("<II")  # length of the counts, checksum of all before
# Blocks are checked in chunks, so that a large one does not fill the memory a second time.
_CHUNK_BYTES = 2**20


def block_parts(array: np.ndarray, counts: Mapping[str, Any]) -> list[Any]:
    """Return the content of a block's file as buffers, the array without a copy where it is contiguous.

    Args:
        array: The block, of any shape and of a plain type.
        counts: What ``read_counts`` returns, as ``json`` reads it back.
    """
    header = io.BytesIO()
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    tail = json.dumps(counts).encode()
    parts = [header.getbuffer(), memoryview(array.reshape(-1).view(np.uint8)), tail]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return [*parts, _TAIL.pack(len(tail), checksum)]


def write_parts(path: pathlib.Path, parts: Sequence[Any]) -> None:
    """Write buffers one after the other into a new file.

    Raises:
        OSError: If they cannot be written whole.
    """
    # Without a buffer, whose rest would fail once more when a full disk is closed.
    with open(path, "wb", buffering=0) as file:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[file.write(rest) :]


def read_rows(path: pathlib.Path, start: int, stop: int, *, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Read a span of the first axis, which is contiguous in the file.

    Args:
        path: File of the block.
        start: First index of the span.
        stop: The one after the last.
        shape: Shape of the block.
        dtype: Type of its elements.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    row = math.prod(shape[1:])
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        # The offset counts from the position behind the header, where reading it has left the file.
        found = np.fromfile(file, dtype, (stop - start) * row, offset=start * row * dtype.itemsize)
    return found.reshape(stop - start, *shape[1:])


def read_counts(path: pathlib.Path) -> dict[str, Any]:
    """Return the counts of a block; they stand at the end, so its array is not read."""
    with open(path, "rb") as file:
        file.seek(-_TAIL.size, os.SEEK_END)
        length, _ = _TAIL.unpack(file.read())
        file.seek(-_TAIL.size - length, os.SEEK_END)
        return json.loads(file.read(length))


def is_whole(path: pathlib.Path) -> bool:
    """Return whether the checksum of a block is that of its content."""
    with open(path, "rb") as file:
        rest = os.fstat(file.fileno()).st_size - _TAIL.size
        if rest < 0:
            return False
        checksum = 0
        while rest:
            chunk = file.read(min(rest, _CHUNK_BYTES))
            checksum = zlib.crc32(chunk, checksum)
            rest -= len(chunk)
        return _TAIL.unpack(file.read(_TAIL.size))[1] == checksum
