"""Read MRC files: memory-mapped, compressed ones from an unpacked temporary file."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Callable

import numpy as np

from segkit.errors import InputError
from segkit.volumes.compressed import is_compressed, read_start, unpacked
from segkit.volumes.lazy_volume import LazyVolume, in_native_byte_order, transposed
from segkit.volumes.mapped_file import mapped_file
from segkit.volumes.mrc_header import HEADER_BYTES, IMOD_STAMP, IMOD_WORDS, MrcHeader, parse_header
from segkit.volumes.volume import Volume

MRC_SUFFIXES = (".mrc", ".rec", ".map", ".st", ".mrcs")


def read_mrc(
    path: pathlib.Path, *, unsigned: bool | None = None, progress: Callable[[int, int], None] | None = None
) -> Volume:
    """Open an MRC file (``.gz`` and ``.bz2`` too) without reading its voxels into memory.

    Modes 0, 1, 2, 6 and 12, either byte order, any axis order (presented as z, y, x), with or without the
    ``MAP`` mark, with or without an extended header. Mode 0 is unsigned where IMOD's stamp or the range in
    the header says so.

    Args:
        path: The file.
        unsigned: Whether mode 0 is unsigned, whatever the header says; ``None`` for what it says.
        progress: Called as ``progress(done, total)`` with bytes while a compressed file is unpacked.

    Returns:
        The volume. Its voxel size is unknown where the header gives 0, or 1 angstrom along every axis.

    Raises:
        InputError: If the file is not an MRC file, is cut off or damaged, or holds what segkit does not read.
    """
    raw = read_start(path, HEADER_BYTES)
    header = parse_header(raw, str(path), unsigned=unsigned)
    warnings = list(header.warnings)
    if is_compressed(path):
        file = unpacked(path, header.file_bytes, progress=progress)
    else:
        _check_size(path, header, warnings)
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    with file:
        # The mapping keeps a handle of its own: a temporary file lives as long as the array.
        mapped = mapped_file(path, file, header.dtype, header.data_offset, header.file_shape)
        file.seek(HEADER_BYTES)
        extended = file.read(header.extended_bytes)
    if header.dtype == np.int8 and unsigned is None and (hint := _unsigned_hint(raw, mapped)):
        warnings.append(hint)
    # From (sections, rows, columns) to (z, y, x).
    array = transposed(mapped, tuple(header.axes.index(axis) for axis in "zyx"))
    return Volume(
        array=in_native_byte_order(array),
        voxel_size_nm=header.voxel_size_nm,
        origin_nm=header.origin_nm,
        file_axes=header.axes,
        format="mrc",
        source=path,
        metadata={"mrc_header": raw, "mrc_extended_header": extended},
        warnings=tuple(warnings),
    )


def _unsigned_hint(raw: bytes, mapped: LazyVolume) -> str | None:
    """Return a warning where bytes that nothing marks as signed look like unsigned ones.

    Read with the wrong sign, values around the middle of the range jump from one end to the other: they spread more
    than any of their kind, and neighbours differ by more than half of the range, also where contrast was stretched.
    """
    (stamp,) = struct.unpack_from("=i", raw, IMOD_WORDS)
    if IMOD_STAMP in (stamp, int.from_bytes(raw[IMOD_WORDS : IMOD_WORDS + 4], "big")):
        return None
    sections = mapped.shape[0]
    values = np.stack([mapped[z] for z in dict.fromkeys((sections // 2, sections // 4))])
    signed, unsigned = float(values[0].std()), float(values[0].view(np.uint8).std())
    jumps, fewer = _share_of_jumps(values), _share_of_jumps(values.view(np.uint8))
    if unsigned < 0.6 * signed:
        sign = f"unsigned ones would spread less ({unsigned:.0f} against {signed:.0f} in the middle section)"
    elif jumps >= _LEAST_JUMPS and fewer < jumps / 4:
        sign = f"as unsigned ones fewer neighbours would differ by more than 128 ({fewer:.1%} against {jumps:.1%})"
    else:
        return None
    return (
        f"mode 0 is read as signed bytes, as the standard says, but {sign}; if they are unsigned, open it so "
        "(--unsigned)"
    )


_LEAST_JUMPS = 0.005
"""Share of neighbours along a row below which jumps may be the edges of a mask or of what a detector left out."""


def _share_of_jumps(values: np.ndarray) -> float:
    """Return the share of neighbours along a row that differ by more than half the range of a byte."""
    wide = values.astype(np.int16)
    differences = np.abs(wide[..., 1:] - wide[..., :-1])
    return float(np.count_nonzero(differences > 128) / max(1, differences.size))


def _check_size(path: pathlib.Path, header: MrcHeader, warnings: list[str]) -> None:
    found = path.stat().st_size
    sections, rows, columns = header.file_shape
    if found < header.file_bytes:
        raise InputError(
            f"{path}: cut off: found {found:,} bytes, expected {header.file_bytes:,} for {sections} "
            "sections of "
            f"{rows} x {columns} {header.dtype.name} voxels; copy the file again"
        )
    if found > header.file_bytes:
        warnings.append(f"{found - header.file_bytes:,} bytes after the voxels are ignored")
