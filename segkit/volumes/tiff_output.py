"""Write TIFF stacks: ImageJ hyperstacks, OME-TIFF and plain ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tifffile

from segkit.volumes.casting import stored_dtype
from segkit.volumes.lazy_volume import transposed
from segkit.volumes.volume import Volume
from segkit.volumes.voxel_statistics import voxel_statistics
from segkit.volumes.whole_output import whole_file

_KNOWN_DTYPES = {
    "imagej": ("uint8", "uint16", "float32"),
    "ome-tiff": ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"),
    "tiff": (
        *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
        *("float32", "float64", "float16"),
    ),
}
# Offsets in a classic TIFF file have 32 bits; the rest is left for headers and page directories.
_CLASSIC_BYTES = 2**32 - 2**25
_NM_PER_CM = 1e7


def write_tiff(
    path: str | os.PathLike,
    volume: Volume,
    *,
    kind: str,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a volume as an uncompressed TIFF stack, one page at a time.

    Args:
        path: File to be written.
        volume: What to write.
        kind: ``"imagej"``, ``"ome-tiff"`` or ``"tiff"``. The first two always hold z, y, x; the last keeps
            the axis order of the volume. Beyond 4 GB the last two become BigTIFF, while ImageJ's has only its
            first page described, as Fiji reads it.
        overwrite: Whether an existing file may be replaced.
        progress: Called as ``progress(done, total)`` with the number of pages.

    Raises:
        InputError: If the values fit no type of that kind, or the file cannot be written.
    """
    axes = volume.file_axes.upper() if kind == "tiff" else "ZYX"
    array = transposed(volume.array, tuple("ZYX".index(axis) for axis in axes))
    # ImageJ's own axes, all six: tifffile mistakes slices of width 1 otherwise.
    file_axes = "TZCYXS" if kind == "imagej" else axes
    file_shape = tuple(array.shape[axes.index(axis)] if axis in axes else 1 for axis in file_axes)
    # ImageJ: (y, x, samples); otherwise (rows, columns).
    page_shape = file_shape[3:] if kind == "imagej" else file_shape[1:]
    dtype = tiff_dtype(path, volume, kind)
    num_bytes = volume.nbytes // volume.dtype.itemsize * dtype.itemsize
    is_large = num_bytes > _CLASSIC_BYTES

    def pages() -> Iterator[np.ndarray]:
        for k in range(array.shape[0]):
            yield np.ascontiguousarray(array[k], dtype=dtype).reshape(page_shape)
            if progress is not None:
                progress(k + 1, array.shape[0])

    with (
        whole_file(path, overwrite=overwrite, expected_bytes=num_bytes) as partial,
        tifffile.TiffWriter(
            partial, imagej=kind == "imagej", ome=kind == "ome-tiff", bigtiff=is_large and kind != "imagej"
        ) as writer,
    ):
        writer.write(
            pages(),
            shape=file_shape,
            dtype=dtype,
            photometric="minisblack",
            truncate=is_large and kind == "imagej",
            **_described(volume, kind, file_axes),
        )


def tiff_dtype(path: str | os.PathLike, volume: Volume, kind: str) -> np.dtype:
    """Choose the type in which a kind of TIFF file holds a volume.

    Raises:
        InputError: If none does.
    """

    def value_range() -> tuple[float, float]:
        statistics = voxel_statistics(volume.array)
        return statistics.minimum, statistics.maximum

    remedy = "write .ome.tif or .h5 instead" if kind == "imagej" else "write .h5 instead"
    return stored_dtype(volume.dtype, _KNOWN_DTYPES[kind], value_range, target=str(path), remedy=remedy)


def slice_resolution(volume: Volume) -> dict[str, Any]:
    """Return the resolution tags of a plain TIFF page as keyword arguments of tifffile."""
    if volume.voxel_size_nm is None:
        return {}
    _, y, x = volume.voxel_size_nm
    return {
        # Pixels per centimetre, x first.
        "resolution": (_NM_PER_CM / x, _NM_PER_CM / y),
        "resolutionunit": tifffile.RESUNIT.CENTIMETER,
    }


def _described(volume: Volume, kind: str, axes: str) -> dict[str, Any]:
    """Say the voxel size in the words of each kind."""
    metadata: dict[str, Any] = {"axes": axes}
    if kind == "imagej" and (shown := volume.metadata.get("display_range")):
        metadata |= {"min": float(shown[0]), "max": float(shown[1])}  # else Fiji draws a mask of 0 and 1 black
    if volume.voxel_size_nm is None:
        return {"metadata": metadata}
    z, y, x = volume.voxel_size_nm
    if kind == "ome-tiff":
        for axis, size in zip("ZYX", (z, y, x), strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "nm"}
        return {"metadata": metadata}
    metadata |= {"spacing": z, "unit": "nm"}
    if kind == "imagej":
        # ImageJ reads the resolution as pixels per `unit`.
        return {"metadata": metadata, "resolution": (1 / x, 1 / y)}
    return {"metadata": metadata, **slice_resolution(volume)}
