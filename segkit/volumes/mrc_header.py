"""The 1024 bytes at the start of an MRC file, read with tolerance.

Standard: Cheng et al. (2015), MRC2014: extensions to the MRC format header for electron cryo-microscopy and
tomography, doi:10.1016/j.jsb.2015.04.002. IMOD's habits are read as well: unsigned bytes in mode 0 (a stamp
in word 39 and flag bit 0 of word 40), and headers from before the ``MAP`` mark.
"""

from __future__ import annotations

import dataclasses
import math
import struct

import mrcfile.utils
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from segkit.errors import InputError

HEADER_BYTES = 1024
IMOD_STAMP = 1146047817
IMOD_WORDS = 152  # byte position of the stamp; the flags follow
IMOD_SIGNED, _IMOD_FOUR_BIT = 1, 16
ANGSTROM_PER_NM = 10.0

_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
_OTHER_MODES = {3: "complex int16", 4: "complex float32", 16: "RGB", 101: "4-bit"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MrcHeader:
    """What a header says, in the project's terms.

    Args:
        dtype: Type of one voxel, in the byte order of the file.
        file_shape: (sections, rows, columns), as stored in the file.
        axes: Which axes these are, such as ``"zyx"``.
        extended_bytes: Size of the extended header that follows.
        voxel_size_nm: (z, y, x), ``None`` where the header does not say.
        origin_nm: (z, y, x).
        warnings: One line for everything a user should know.
    """

    dtype: np.dtype
    file_shape: tuple[int, int, int]
    axes: str
    extended_bytes: int
    voxel_size_nm: tuple[float, float, float] | None
    origin_nm: tuple[float, float, float]
    warnings: tuple[str, ...]

    @property
    def data_offset(self) -> int:
        """Position of the first voxel [byte]."""
        return HEADER_BYTES + self.extended_bytes

    @property
    def file_bytes(self) -> int:
        """Size the whole file must have [byte]."""
        return self.data_offset + math.prod(self.file_shape) * self.dtype.itemsize


def looks_like_mrc(raw: bytes) -> bool:
    """Return whether bytes are a header, by the ``MAP`` mark or, without it, by sound sizes and mode."""
    return len(raw) >= HEADER_BYTES and (raw[208:211] == b"MAP" or _byte_order(raw) is not None)


def parse_header(raw: bytes, name: str, *, unsigned: bool | None = None) -> MrcHeader:
    """Interpret the first 1024 bytes of an MRC file.

    Args:
        raw: The bytes.
        name: What messages call the file.
        unsigned: Whether mode 0 is unsigned, whatever the header says; ``None`` for what it says.

    Returns:
        The header.

    Raises:
        InputError: If the bytes are no MRC header, or one that segkit does not read (complex, RGB or 4-bit
            data, stacks of volumes).
    """
    if len(raw) < HEADER_BYTES:
        raise InputError(f"{name}: cut off: found {len(raw)} bytes, expected an MRC header of 1024; copy it again")
    order = _byte_order(raw)
    if order is None:
        raise InputError(
            f"{name}: found no MRC header (invalid sizes or mode), expected one in the "
            "first 1024 bytes; check that the file is what its name says"
        )
    record = header_record(raw, order)
    has_mark = raw[208:211] == b"MAP"
    warnings = [] if has_mark else ["the MRC header has no MAP mark (an old or unusual writer)"]
    if has_mark and order != _stamped_order(record):
        warnings.append("the machine stamp does not match the byte order of the MRC header; the header's is used")
    dtype = _voxel_dtype(raw, record, order, name, warnings)
    if unsigned is not None and int(record["mode"]) == 0:
        dtype = np.dtype(np.uint8 if unsigned else np.int8)
        warnings = [line for line in warnings if not line.startswith("mode 0")]
    # MRC2014: space groups 401 to 630 mark a stack of volumes, each of mz sections.
    if 401 <= int(record["ispg"]) <= 630 and 0 < int(record["mz"]) < int(record["nz"]):
        volumes = int(record["nz"]) // int(record["mz"])
        raise InputError(f"{name}: found a stack of {volumes} volumes, expected one; save one of them by itself")
    axes = _axes(record, warnings)
    voxel_size_nm = _voxel_size(record, warnings)
    return MrcHeader(
        dtype=dtype,
        file_shape=(int(record["nz"]), int(record["ny"]), int(record["nx"])),
        axes=axes,
        extended_bytes=int(record["nsymbt"]),
        voxel_size_nm=voxel_size_nm,
        origin_nm=_origin(record, axes, voxel_size_nm, has_mark, warnings),
        warnings=tuple(warnings),
    )


def byte_order_of(raw: bytes) -> str:
    """Return the byte order, ``"<"`` or ``">"``, of a header that ``parse_header`` accepted."""
    return _byte_order(raw) or "<"


def header_record(raw: bytes, order: str) -> np.void:
    """Return the fields of a header as a record of its own, so that they can be set."""
    return np.frombuffer(raw[:HEADER_BYTES], HEADER_DTYPE.newbyteorder(order)).copy()[0]


def _stamped_order(record: np.void) -> str | None:
    try:
        return mrcfile.utils.byte_order_from_machine_stamp(record["machst"])
    except ValueError:
        return None


def _byte_order(raw: bytes) -> str | None:
    """Find the byte order in which the header makes sense, the stamped one first."""
    stamped = _stamped_order(header_record(raw, "<"))
    orders = [stamped, "<", ">"] if stamped else ["<", ">"]
    for order in orders:
        record = header_record(raw, order)
        sizes = [int(record[n]) for n in ("nx", "ny", "nz")]
        # In the wrong byte order the mode or a size is mostly out of range.
        known = int(record["mode"]) in _MODES or int(record["mode"]) in _OTHER_MODES
        if known and all(0 < n < 2**24 for n in sizes) and int(record["nsymbt"]) >= 0:
            return order
    return None


def _voxel_dtype(raw: bytes, record: np.void, order: str, name: str, warnings: list[str]) -> np.dtype:
    mode = int(record["mode"])
    stamp, flags = struct.unpack_from(order + "iI", raw, IMOD_WORDS)
    is_imod = stamp == IMOD_STAMP
    if mode not in _MODES or (mode == 0 and is_imod and flags & _IMOD_FOUR_BIT):
        kind = _OTHER_MODES.get(mode, "4-bit")
        raise InputError(
            f"{name}: found mode {mode} ({kind} data), expected mode 0, 1, 2, 6 or 12; "
            "convert it (IMOD: newstack -mode 1, or -mode 2)"
        )
    if mode != 0:
        return np.dtype(_MODES[mode]).newbyteorder(order)
    # Mode 0 is signed in MRC2014 but was unsigned in IMOD, whose flag says which it is.
    if is_imod:
        return np.dtype(np.int8 if flags & IMOD_SIGNED else np.uint8)
    low, high = float(record["dmin"]), float(record["dmax"])
    if 0 <= low <= high and 127 < high <= 255:
        warnings.append(f"mode 0 read as unsigned bytes, because the MRC header gives the range {low:g} to {high:g}")
        return np.dtype(np.uint8)
    return np.dtype(np.int8)


def _axes(record: np.void, warnings: list[str]) -> str:
    columns_first = [int(record[name]) for name in ("mapc", "mapr", "maps")]
    if sorted(columns_first) == [1, 2, 3]:
        # mapc names the fastest axis; names here run from the slowest.
        return "".join("xyz"[axis - 1] for axis in reversed(columns_first))
    if any(columns_first):
        warnings.append(f"the axis order {columns_first} in the MRC header is invalid; taken as x, y, z")
    return "zyx"


def _voxel_size(record: np.void, warnings: list[str]) -> tuple[float, float, float] | None:
    # The header stores the extent of the cell [angstrom] and the number of intervals along it.
    cell = [float(record["cella"][axis]) for axis in "zyx"]
    intervals = [int(record["m" + axis]) for axis in "zyx"]
    sizes = [c / m if m > 0 and math.isfinite(c) else 0.0 for c, m in zip(cell, intervals, strict=True)]
    shown = " x ".join(f"{size:g}" for size in sizes)
    if min(sizes) <= 0:
        warnings.append(f"voxel size unknown: the MRC header gives {shown} angstrom (z, y, x)")
        return None
    if all(math.isclose(size, 1.0, rel_tol=1e-6) for size in sizes):
        warnings.append(
            "voxel size unknown: the MRC header gives 1 angstrom along every axis, "
            "which is what programs write when they do not know"
        )
        return None
    z, y, x = (size / ANGSTROM_PER_NM for size in sizes)
    return z, y, x


def _origin(
    record: np.void,
    axes: str,
    voxel_size_nm: tuple[float, float, float] | None,
    has_mark: bool,
    warnings: list[str],
) -> tuple[float, float, float]:
    """Read the origin field, and where it is zero the start indices times the voxel size."""
    origin = [float(record["origin"][axis]) / ANGSTROM_PER_NM for axis in "zyx"]
    if has_mark and all(map(math.isfinite, origin)) and any(origin):
        return origin[0], origin[1], origin[2]
    # nxstart belongs to the columns of the file, whichever axis they are.
    starts = dict(zip(reversed(axes), (int(record[f"n{axis}start"]) for axis in "xyz"), strict=True))
    if voxel_size_nm is None or not any(starts.values()):
        return 0.0, 0.0, 0.0
    z, y, x = (starts[axis] * size for axis, size in zip("zyx", voxel_size_nm, strict=True))
    warnings.append(
        f"the origin field is zero; origin taken from the start indices {starts['z']}, {starts['y']}, "
        f"{starts['x']} (z, y, x) of the MRC header"
    )
    return z, y, x
