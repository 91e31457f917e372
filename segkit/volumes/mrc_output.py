"""Write MRC files that mrcfile and IMOD read alike."""

from __future__ import annotations

import math
import os
import pathlib
import struct
from collections.abc import Callable

import mrcfile.utils
import numpy as np

from segkit.volumes.casting import stored_dtype
from segkit.volumes.compressed import COMPRESSED_SUFFIXES, packing
from segkit.volumes.lazy_volume import transposed
from segkit.volumes.mrc_header import (
    ANGSTROM_PER_NM,
    HEADER_BYTES,
    IMOD_SIGNED,
    IMOD_STAMP,
    IMOD_WORDS,
    byte_order_of,
    header_record,
    parse_header,
)
from segkit.volumes.volume import Volume
from segkit.volumes.voxel_statistics import voxel_statistics
from segkit.volumes.whole_output import whole_file

# Integers that fit into a signed byte go into mode 0, where every reader agrees; then mode 6, then mode 1.
_KNOWN_DTYPES = ("int8", "uint16", "int16", "float32", "float16")
_LABEL = b"Written by segkit"


def write_mrc(
    path: str | os.PathLike,
    volume: Volume,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a volume as MRC, one section at a time.

    The voxels are read twice, first for the range and mean in the header. Masks become mode 0 (0 and 1),
    labels mode 0 up to 127 and mode 6 beyond, probabilities mode 2. A volume opened from MRC passes its header,
    extended header, byte order and axis order on.

    Args:
        path: File to be written; ``.gz`` or ``.bz2`` at its end compresses it.
        volume: What to write.
        overwrite: Whether an existing file may be replaced.
        progress: Called as ``progress(done, total)``; slices are counted once for each reading.

    Raises:
        InputError: If the values fit no MRC mode, or the file cannot be written.
    """
    array = transposed(volume.array, tuple("zyx".index(axis) for axis in volume.file_axes))
    # Statistics read slices along z, writing reads sections of the file, which may lie along another axis.
    num_slices, num_sections = volume.shape[0], array.shape[0]
    total = num_slices + num_sections

    def report(done: int, _: int) -> None:
        if progress is not None:
            progress(done, total)

    statistics = voxel_statistics(volume.array, progress=report)
    dtype = stored_dtype(
        volume.dtype,
        _KNOWN_DTYPES,
        lambda: (statistics.minimum, statistics.maximum),
        target=str(path),
        remedy="write .h5 or .ome.tif instead",
    )
    template, extended = _kept_header(volume, array.shape)
    header = make_header(
        file_shape=array.shape,
        dtype=dtype,
        axes=volume.file_axes,
        voxel_size_nm=volume.voxel_size_nm,
        origin_nm=volume.origin_nm,
        statistics=(statistics.minimum, statistics.maximum, statistics.mean, statistics.std),
        template=template,
        extended_bytes=len(extended),
    )
    file_dtype = dtype.newbyteorder(byte_order_of(header))
    suffix = pathlib.Path(path).suffix.lower()
    plain_bytes = HEADER_BYTES + len(extended) + math.prod(array.shape) * dtype.itemsize
    # The compressed size is not known in advance.
    expected = 0 if suffix in COMPRESSED_SUFFIXES else plain_bytes
    with (
        whole_file(path, overwrite=overwrite, expected_bytes=expected) as partial,
        packing(partial, suffix) as file,
    ):
        file.write(header)
        file.write(extended)
        for section in range(num_sections):
            file.write(np.ascontiguousarray(array[section], dtype=file_dtype).data)
            report(num_slices + section + 1, total)


def _kept_header(volume: Volume, file_shape: tuple[int, ...]) -> tuple[bytes | None, bytes]:
    """Pass header and extended header on; the latter only where its sections are the same."""
    template = volume.metadata.get("mrc_header")
    if template is None or parse_header(template, volume.name).file_shape != tuple(file_shape):
        return template, b""
    return template, volume.metadata.get("mrc_extended_header", b"")


def make_header(
    *,
    file_shape: tuple[int, int, int],
    dtype: np.dtype,
    axes: str,
    voxel_size_nm: tuple[float, float, float] | None,
    origin_nm: tuple[float, float, float],
    statistics: tuple[float, float, float, float],
    template: bytes | None = None,
    extended_bytes: int = 0,
) -> bytes:
    """Make the first 1024 bytes of an MRC file.

    Args:
        file_shape: (sections, rows, columns), as the data will be stored in the file.
        dtype: Type of one voxel; one that has a mode. Bytes are marked as signed for IMOD too.
        axes: Which axes the file's are.
        voxel_size_nm: (z, y, x); ``None`` writes a cell of 0, which readers take as unknown.
        origin_nm: (z, y, x).
        statistics: Minimum, maximum, mean and standard deviation.
        template: Header of the file that this one is like; what this function does not set is kept.
        extended_bytes: Size of the extended header that will follow.

    Returns:
        The header, in the byte order of the template, else little-endian.
    """
    order = byte_order_of(template) if template else "<"
    record = header_record(template or bytes(HEADER_BYTES), order)
    if template is not None and template[208:211] != b"MAP":
        # A header from before the mark uses these words for other things.
        for axis in "zyx":
            record["origin"][axis] = 0.0
    same_shape = template is not None and file_shape == tuple(int(record[n]) for n in ("nz", "ny", "nx"))
    origin_stands = same_shape and np.allclose(parse_header(template, "").origin_nm, origin_nm)
    record["nz"], record["ny"], record["nx"] = file_shape
    record["mapc"], record["mapr"], record["maps"] = ("xyz".index(axis) + 1 for axis in reversed(axes))
    record["mode"] = mrcfile.utils.mode_from_dtype(dtype)
    extents = dict(zip(axes, file_shape, strict=True))
    if not same_shape or min(int(record[m]) for m in ("mx", "my", "mz")) <= 0:
        record["mx"], record["my"], record["mz"] = extents["x"], extents["y"], extents["z"]
        # MRC2014: 0 for an image or a stack of images, 1 for a volume.
        record["ispg"] = 0 if extents["z"] == 1 else 1
    for axis, size in zip("zyx", voxel_size_nm or (0.0, 0.0, 0.0), strict=True):
        # The cell covers the intervals (mx, my, mz), whose number may differ from that of the voxels.
        record["cella"][axis] = size * ANGSTROM_PER_NM * int(record["m" + axis])
    if not origin_stands:
        # Start indices are read as the origin where the field is 0, so those of the template must go.
        record["nxstart"] = record["nystart"] = record["nzstart"] = 0
        for axis, start in zip("zyx", origin_nm, strict=True):
            record["origin"][axis] = start * ANGSTROM_PER_NM
    record["cellb"] = (90.0, 90.0, 90.0)
    record["dmin"], record["dmax"], record["dmean"], record["rms"] = statistics
    record["nsymbt"] = extended_bytes
    # The template may name the type of an extended header that is not passed on.
    if not extended_bytes:
        record["exttyp"] = b""
    record["map"], record["nversion"] = b"MAP ", 20141
    record["machst"] = list(mrcfile.utils.machine_stamp_from_byte_order(order))
    _add_label(record)
    return _with_signed_bytes(record.tobytes(), order) if np.dtype(dtype) == np.int8 else record.tobytes()


def _add_label(record: np.void) -> None:
    used = min(max(int(record["nlabl"]), 0), 10)
    if used < 10 and not any(bytes(label).startswith(_LABEL) for label in record["label"][:used]):
        record["label"][used] = _LABEL
        record["nlabl"] = used + 1


def _with_signed_bytes(raw: bytes, order: str) -> bytes:
    """Say in IMOD's words too that the bytes are signed."""
    header = bytearray(raw)
    stamp, flags = struct.unpack_from(order + "iI", header, IMOD_WORDS)
    kept = flags if stamp == IMOD_STAMP else 0
    struct.pack_into(order + "iI", header, IMOD_WORDS, IMOD_STAMP, kept | IMOD_SIGNED)
    return bytes(header)
