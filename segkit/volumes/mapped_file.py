"""Voxels that are mapped from a file: read where they are, and only as long as the file holds them."""

from __future__ import annotations

import math
import mmap
import os
import pathlib
import weakref
from typing import IO

import numpy as np

from segkit.errors import InputError
from segkit.volumes.lazy_volume import LazyVolume, Region
from segkit.volumes.volume import ArrayLike3D


def mapped_file(
    path: pathlib.Path,
    file: IO[bytes],
    dtype: np.dtype,
    offset: int,
    shape: tuple[int, ...],
    picks: tuple[int | slice, ...] = (),
) -> LazyVolume:
    """Return voxels of a file as a volume; nothing is read yet.

    The size of the file is looked at before every part is read: reading a mapping beyond the end of its file ends the
    process.

    Args:
        path: What messages call the file.
        file: The open file; the mapping has a handle of its own.
        dtype: Type of one voxel.
        offset: Position of the first voxel [byte].
        shape: Extent along every axis of the file.
        picks: What to take along each axis, so that three axes are left, or the two of an image.

    Raises:
        InputError: When a part is read, if the file has become shorter.
    """
    end = offset + math.prod(shape) * np.dtype(dtype).itemsize
    mapped = np.memmap(file, dtype, "r", offset, shape)[picks]
    mapped = mapped if mapped.ndim == 3 else mapped[np.newaxis]
    handle = os.dup(file.fileno())

    def read(region: Region) -> np.ndarray:
        found = os.fstat(handle).st_size
        if found < end:
            raise InputError(
                f"{path}: was cut off while it was read: found {found:,} bytes, expected {end:,}; copy the file again, "
                "and start when it is complete"
            )
        values = np.array(mapped[region])
        release_mapped(mapped)
        return values

    stack = LazyVolume(read, mapped.shape, dtype)
    weakref.finalize(stack, os.close, handle)
    return stack


def release_mapped(array: ArrayLike3D) -> None:
    """Release the pages of a memory-mapped file that were read, which otherwise count as memory of this
    process.

    Nothing is lost: only mappings that share the file are let go, and the system still keeps what it has
    read.
    """
    is_shared = False
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            is_shared = array.mode in ("r", "r+")  # else a private copy, whose changes would be lost
        array = array.base
    if is_shared and isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)
