"""Read AmiraMesh files of Amira and Avizo (``.am``): images and labels on a uniform grid.

No maintained library reads them; the format is described in the reference manuals of both programs ("AmiraMesh File
Format").
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import re
import tempfile
import zlib

import numpy as np

from segkit.errors import InputError, faults_told
from segkit.volumes.checks import check_deflated, check_extent
from segkit.volumes.lazy_volume import in_native_byte_order
from segkit.volumes.mapped_file import mapped_file
from segkit.volumes.physical_size import complete_voxel_size, nm_per_unit
from segkit.volumes.tiff_pages import check_reach
from segkit.volumes.volume import ArrayLike3D, Volume

AMIRA_SUFFIXES = (".am", ".amiramesh")

_STARTS = (b"# AmiraMesh", b"# Avizo")
_MOST_HEADER_BYTES = 2**20
_DTYPES = {"byte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "float": "f4", "double": "f8"}
_RUN_BYTES = 127  # of one value in two bytes


def looks_like_amira(raw: bytes) -> bool:
    """Return whether bytes are the start of an AmiraMesh file."""
    return raw.startswith(_STARTS)


def read_amira(path: pathlib.Path) -> Volume:
    """Open the lattice of an AmiraMesh file; one that is stored raw is memory-mapped, one that is packed is unpacked.

    Args:
        path: The file.

    Returns:
        The volume; a single image is a volume of one slice. Its voxel size is the distance of the centres in the
        bounding box, in the unit under ``Units``, and unknown where there is none.

    Raises:
        InputError: If the file is cut off or damaged, holds text in place of binary numbers, or no lattice of single
            numbers on a uniform grid.
    """
    with open(path, "rb") as file:
        raw = file.read(_MOST_HEADER_BYTES)
    with faults_told(path, "AmiraMesh"):
        header = _parsed(path, raw)
    check_extent(str(path), header.shape)
    warnings: list[str] = []
    voxel_size_nm = _voxel_size(header, warnings)
    return Volume(
        array=in_native_byte_order(_voxels(path, header)),
        voxel_size_nm=voxel_size_nm,
        format="amira",
        source=path,
        warnings=tuple(warnings),
    )


@dataclasses.dataclass(frozen=True)
class _Header:
    """What a header says.

    Attributes:
        shape: Extent along (z, y, x).
        dtype: Type of a voxel, in the byte order of the file.
        packing: ``""``, ``"HxByteRLE"`` or ``"HxZip"``.
        num_bytes: Size of the packed data [byte]; 0 where they are not packed.
        offset: Position of the data [byte].
        box: Bounding box, first and last centre along x, y and z; ``None`` if it is not there.
        unit: Unit of the bounding box; empty if it is not there.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    packing: str
    num_bytes: int
    offset: int
    box: tuple[float, ...] | None
    unit: str


def _parsed(path: pathlib.Path, raw: bytes) -> _Header:
    # The first line that is a mark alone begins the data.
    start = re.search(rb"\n@(\d+)[ \t]*\r?\n", raw)
    text = raw[: start.start() if start else len(raw)].decode("latin-1")
    kind = text.partition("\n")[0]
    if "BINARY" not in kind:
        raise InputError(f"{path}: found {kind[2:].strip()!r}, expected binary numbers; save it as AmiraMesh binary")
    sizes = re.search(r"define\s+Lattice\s+(\d+)\s+(\d+)(?:\s+(\d+))?", text)
    field = re.search(
        r"Lattice\s*\{\s*(\w+)(\[\d+\])?\s+[\w\" -]+\}\s*=?\s*(?:\w*\(?)@(\d+)(?:\((\w+),\s*(\d+)\))?", text
    )
    if sizes is None or field is None or start is None or start[1].decode() != field[3]:
        raise InputError(
            f"{path}: found no lattice of voxels in its header, expected one; save the image or the labels"
        )
    if field[1] not in _DTYPES or field[2] or (field[4] or "HxZip") not in ("HxByteRLE", "HxZip"):
        stored = f"{field[1]}{field[2] or ''}{f' packed by {field[4]}' if field[4] else ''}"
        raise InputError(f"{path}: found {stored} voxels, expected single numbers, raw or packed by HxByteRLE or HxZip")
    coordinates = re.search(r"CoordType\s+\"(\w+)\"", text)
    if coordinates is not None and coordinates[1] != "uniform":
        raise InputError(f"{path}: found {coordinates[1]} coordinates, expected a uniform grid; resample it")
    x, y, z = (int(size or 1) for size in sizes.groups())
    box = re.search(r"BoundingBox\s+((?:[-+.\deE]+[\s,]+){5}[-+.\deE]+)", text)
    unit = re.search(r"Coordinates\s+\"([^\"]*)\"", text)
    order = "<" if "LITTLE-ENDIAN" in kind else ">"
    return _Header(
        shape=(z, y, x),
        dtype=np.dtype(_DTYPES[field[1]]).newbyteorder(order),
        packing=field[4] or "",
        num_bytes=int(field[5] or 0),
        offset=start.end(),
        box=None if box is None else tuple(float(number) for number in re.split(r"[\s,]+", box[1].strip())),
        unit="" if unit is None else unit[1],
    )


def _voxel_size(header: _Header, warnings: list[str]) -> tuple[float, float, float] | None:
    scale = nm_per_unit(header.unit)
    if header.box is None or scale is None:
        spacing = "" if header.box is None else f", only the bounding box {' '.join(f'{n:g}' for n in header.box)}"
        warnings.append(f"voxel size unknown: the file gives no unit of length{spacing}")
        return None
    x, y, z = (
        abs(last - first) / (size - 1) * scale if size > 1 else None
        for first, last, size in zip(header.box[::2], header.box[1::2], header.shape[::-1], strict=True)
    )
    return complete_voxel_size(z, y, x, header.shape[0], warnings)


def _voxels(path: pathlib.Path, header: _Header) -> ArrayLike3D:
    expected = math.prod(header.shape) * header.dtype.itemsize
    if not header.packing:
        check_reach(path, header.offset + expected)
        with open(path, "rb") as file:
            return mapped_file(path, file, header.dtype, header.offset, header.shape)
    check_reach(path, header.offset + header.num_bytes)
    if header.packing == "HxZip":
        check_deflated(str(path), header.num_bytes, expected)
    elif expected > _RUN_BYTES * (header.num_bytes + 1) // 2:
        raise InputError(f"{path}: damaged: {header.num_bytes:,} packed bytes cannot hold {expected:,}; copy it again")
    with open(path, "rb") as file:
        file.seek(header.offset)
        packed = file.read(header.num_bytes)
    with faults_told(path, "AmiraMesh"):
        data = zlib.decompress(packed) if header.packing == "HxZip" else _unpacked_runs(packed)
    if len(data) != expected:
        raise InputError(f"{path}: damaged: found {len(data):,} unpacked bytes, expected {expected:,}; copy it again")
    # A file that vanishes when the volume does, so that memory stays free.
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return mapped_file(path, file, header.dtype, 0, header.shape)


def _unpacked_runs(packed: bytes) -> bytearray:
    """Unpack HxByteRLE: a count and the byte that it repeats, or with its highest bit set so many bytes as they are."""
    data, at = bytearray(), 0
    while at < len(packed):
        count = packed[at] & 0x7F
        if packed[at] & 0x80:
            data += packed[at + 1 : at + 1 + count]
            at += 1 + count
        else:
            data += packed[at + 1 : at + 2] * count
            at += 2
    return data
