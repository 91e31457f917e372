"""Pages of a TIFF file: whether they are all there, and their values."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import struct
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile

from segkit.errors import InputError, faults_told
from segkit.volumes.checks import check_deflated
from segkit.volumes.lazy_volume import LazyVolume, slice_stack

# Size of one value of the types that a tag may have.
_TAG_BYTES = dict.fromkeys((1, 2, 6, 7), 1) | dict.fromkeys((3, 8), 2) | dict.fromkeys((4, 9, 11, 13), 4)
_TAG_BYTES |= dict.fromkeys((5, 10, 12, 16, 17, 18), 8)

# What tifffile logs about a bad file would be printed together with our one line; it stays for whoever configures
# logging.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def check_reach(path: pathlib.Path, end: int) -> None:
    """Check that a file reaches to the end of what it holds.

    Args:
        path: The file.
        end: Offset of the byte behind the last one [byte].

    Raises:
        InputError: If the file ends before.
    """
    found = path.stat().st_size
    if found < end:
        raise InputError(f"{path}: cut off: found {found:,} bytes, expected at least {end:,}; copy the file again")


def check_directories(path: pathlib.Path, tif: tifffile.TiffFile) -> None:
    """Check that all page directories, and what they point to, are within the file.

    tifffile does without those pages and tags, and mentions them in its log only.

    Args:
        path: The file.
        tif: The same file, opened.

    Raises:
        InputError: If one is beyond the end of the file, or a page follows itself.
    """
    # Offsets, numbers of entries and entries (tag, type, count, value) of BigTIFF and of classic TIFF.
    form = tif.byteorder + ("Q" if tif.is_bigtiff else "I")
    count_form = tif.byteorder + ("Q" if tif.is_bigtiff else "H")
    entry_form = tif.byteorder + ("HHQQ" if tif.is_bigtiff else "HHII")
    inline_bytes = struct.calcsize(form)
    seen = set()
    with open(path, "rb") as file:

        def unpack(form: str, position: int) -> tuple[int, ...]:
            check_reach(path, position + struct.calcsize(form))
            file.seek(position)
            return struct.unpack(form, file.read(struct.calcsize(form)))

        # The header ends with the offset of the first directory, a directory with that of the next, or with 0.
        (directory,) = unpack(form, 8 if tif.is_bigtiff else 4)
        while directory:
            # A damaged chain may lead back to itself; tifffile would follow it without end.
            if directory in seen:
                raise InputError(f"{path}: damaged: its list of pages leads back to an earlier page; copy it again")
            seen.add(directory)
            (num_entries,) = unpack(count_form, directory)
            position = directory + struct.calcsize(count_form)
            for _ in range(num_entries):
                _, kind, count, value = unpack(entry_form, position)
                num_bytes = count * _TAG_BYTES.get(kind, 0)
                # Values that do not fit into the entry lie elsewhere, and it holds their offset.
                if num_bytes > inline_bytes:
                    check_reach(path, value + num_bytes)
                position += struct.calcsize(entry_form)
            (directory,) = unpack(form, position)


def check_pages(path: pathlib.Path, pages: Sequence[Any]) -> None:
    """Check that all pages of a volume are there.

    Args:
        path: The first file.
        pages: Its pages as tifffile lists them, ``None`` for one whose file is missing.

    Raises:
        InputError: If a page is missing, or reaches beyond the end of its file.
    """
    if any(page is None for page in pages):
        raise InputError(f"{path}: pages are missing; copy the file again, with those that belong to it")
    # Pages of one series may be in several files.
    ends: dict[str, int] = {}
    for page in pages:
        file = page.parent.filehandle.path
        spans = zip(page.dataoffsets, page.databytecounts, strict=True)
        if page.compression in (tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE):
            check_deflated(file, sum(page.databytecounts), page.nbytes)
        ends[file] = max(ends.get(file, 0), max((start + size for start, size in spans), default=0))
    for file, end in ends.items():
        check_reach(pathlib.Path(file), end)


def page_values(page: Any) -> np.ndarray:
    """Decode one page (y, x).

    Compressions that tifffile knows only with an extra package (LZW, JPEG) are left to OpenCV.

    Raises:
        InputError: If no installed codec can decode it.
    """
    if page.compression in tifffile.TIFF.DECOMPRESSORS:
        # A decoder that is listed may still lack its package; OpenCV is asked then, too.
        with contextlib.suppress(ImportError):
            return page.asarray()
    import cv2  # heavy, and only needed for these compressions

    path = page.parent.filehandle.path
    _, decoded = cv2.imreadmulti(path, start=page.index, count=1, flags=cv2.IMREAD_UNCHANGED)
    if len(decoded) != 1 or decoded[0].shape != page.shape or decoded[0].dtype != page.dtype:
        compression = getattr(page.compression, "name", page.compression)  # a number, where it is unknown
        raise InputError(
            f"{path}: found {compression} compression, which cannot be read here; "
            "save it uncompressed or with deflate, or install the package imagecodecs"
        )
    return decoded[0]


def page_stack(tif: tifffile.TiffFile, pages: Sequence[Any]) -> LazyVolume:
    """Make a volume of pages that are decoded when asked for; it keeps the file open while it lives."""
    # tifffile's handle has one position, which threads would move under each other.
    lock = threading.Lock()

    def read(z: int) -> np.ndarray:
        with lock, faults_told(pages[z].parent.filehandle.path, "TIFF"):
            return page_values(pages[z])

    first = pages[0]
    stack = slice_stack(read, (len(pages), *first.shape), first.dtype)
    stack[0, :1, :1]  # a compression that cannot be read is reported here
    weakref.finalize(stack, tif.close)
    return stack
