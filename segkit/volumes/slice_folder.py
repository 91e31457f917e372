"""Folders of slices, one PNG or TIFF image per slice."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable

import numpy as np
import tifffile

from segkit.errors import InputError, faults_told
from segkit.model_path import MODEL_IS_NO_VOLUME, MODEL_SUFFIX, RUN_MODEL_NAME
from segkit.volumes.casting import stored_dtype
from segkit.volumes.lazy_volume import LazyVolume, in_native_byte_order, slice_stack
from segkit.volumes.png import PNG_DTYPES, PNG_SUFFIXES, png_layout, read_png, write_png
from segkit.volumes.slice_numbers import missing_slices
from segkit.volumes.tiff import TIFF_SUFFIXES, read_tiff_slice, tiff_slice_layout
from segkit.volumes.tiff_output import slice_resolution, tiff_dtype
from segkit.volumes.tiff_voxel_size import tiff_voxel_size
from segkit.volumes.volume import Volume
from segkit.volumes.voxel_statistics import voxel_statistics
from segkit.volumes.whole_output import whole_file, whole_folder

_JPEG_SUFFIXES = (".jpg", ".jpeg")


def read_slice_folder(folder: pathlib.Path) -> Volume:
    """Open a folder of PNG or TIFF images as a volume, in the natural order of their names (2 before 10).

    Args:
        folder: The folder. Files of other kinds in it are left alone.

    Returns:
        The volume; slices are read when they are asked for.

    Raises:
        InputError: If the folder holds no slices, slices of both kinds, slices that differ in shape or type, or a
            link whose target is missing.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    for entry in entries:
        # Left out, it would shift all slices behind it.
        if entry.suffix.lower() in (*PNG_SUFFIXES, *TIFF_SUFFIXES) and not entry.is_file():
            what = "a link to a missing file" if entry.is_symlink() else "not a file"
            raise InputError(f"{entry}: found {what}, expected a slice; restore or remove it")
    slices = [entry for entry in entries if entry.is_file()]
    pngs = sorted((p for p in slices if p.suffix.lower() in PNG_SUFFIXES), key=_natural_order)
    tiffs = sorted((p for p in slices if p.suffix.lower() in TIFF_SUFFIXES), key=_natural_order)
    if (folder / RUN_MODEL_NAME).exists():
        raise InputError(f"{folder}: is the folder of a run and no volume; {MODEL_IS_NO_VOLUME}")
    if not (pngs or tiffs) and (models := [entry.name for entry in slices if entry.suffix == MODEL_SUFFIX]):
        raise InputError(f"{folder}: holds the model {min(models)} and no slices; {MODEL_IS_NO_VOLUME}")
    jpegs = [entry.name for entry in slices if entry.suffix.lower() in _JPEG_SUFFIXES]
    if not (pngs or tiffs) and jpegs:
        raise InputError(
            f"{folder}: found JPEG files ({min(jpegs)}), which do not keep grey values and labels, expected slices as "
            "PNG or TIFF; save them as PNG or TIFF"
        )
    # Both kinds, or none.
    if bool(pngs) == bool(tiffs):
        raise InputError(
            f"{folder}: found {len(pngs)} PNG and {len(tiffs)} TIFF files, expected slices of one kind; "
            "give a folder that holds only the slices of one volume"
        )
    warnings: list[str] = []
    if pngs:
        array = _stack(pngs, png_layout, read_png)
        voxel_size_nm = None
        warnings.append("voxel size unknown: PNG files do not hold it")
    else:
        array = _stack(tiffs, tiff_slice_layout, read_tiff_slice)
        with faults_told(tiffs[0], "TIFF"), tifffile.TiffFile(tiffs[0]) as first:
            voxel_size_nm = tiff_voxel_size(first, len(tiffs), warnings)
    names = tuple(p.name for p in pngs or tiffs)
    if jpegs:
        warnings.append(
            f"{len(jpegs)} JPEG files are left out ({min(jpegs)}); if they are slices, save them as PNG or TIFF"
        )
    if gap := missing_slices(names):
        warnings.append(gap)
    return Volume(
        array=in_native_byte_order(array),
        voxel_size_nm=voxel_size_nm,
        format="png" if pngs else "tiff",
        source=folder,
        metadata={"slice_names": names},
        warnings=tuple(warnings),
    )


def read_single_png(path: pathlib.Path) -> Volume:
    """Open one PNG image as a volume of one slice.

    Raises:
        InputError: If it is no grey PNG image.
    """
    return Volume(
        array=read_png(path)[np.newaxis],
        format="png",
        source=path,
        warnings=("voxel size unknown: PNG files do not hold it",),
    )


def write_slice_folder(
    path: str | os.PathLike,
    volume: Volume,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a volume as a folder of PNG images, or of TIFF images where it came from those.

    Args:
        path: Folder to be written.
        volume: What to write. The names of the slices it was opened from are kept where their number is the
            same.
        overwrite: Whether an existing folder of such slices may be replaced.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If PNG cannot hold the values, or the folder cannot be written.
    """
    as_tiff = volume.format == "tiff"
    dtype = tiff_dtype(path, volume, "tiff") if as_tiff else _png_dtype(path, volume)
    num_slices, suffix = volume.shape[0], ".tif" if as_tiff else ".png"
    names = volume.metadata.get("slice_names", ())
    if len(names) != num_slices:
        names = [f"{z:0{len(str(num_slices - 1))}d}{suffix}" for z in range(num_slices)]
    # 0: the size of compressed PNG files is not known in advance.
    num_bytes = volume.nbytes // volume.dtype.itemsize * dtype.itemsize if as_tiff else 0
    suffixes = TIFF_SUFFIXES if as_tiff else PNG_SUFFIXES
    with whole_folder(path, suffixes=suffixes, overwrite=overwrite, expected_bytes=num_bytes) as partial:
        for z, name in enumerate(names):
            values = np.ascontiguousarray(volume.array[z], dtype=dtype)
            values = values if as_tiff else visible(values, volume)
            if as_tiff:
                tifffile.imwrite(partial / name, values, photometric="minisblack", **slice_resolution(volume))
            else:
                write_png(partial / name, values)
            if progress is not None:
                progress(z + 1, num_slices)


def write_single_png(path: str | os.PathLike, volume: Volume, *, overwrite: bool = False) -> None:
    """Write a volume of one slice as one PNG image.

    Raises:
        InputError: If it has more slices, PNG cannot hold the values, or the file cannot be written.
    """
    if volume.shape[0] != 1:
        raise InputError(
            f"{path}: found {volume.shape[0]} slices, expected one for a single PNG; "
            "name a folder (without a suffix) or a .tif file"
        )
    dtype = _png_dtype(path, volume)
    with whole_file(path, overwrite=overwrite) as partial:
        write_png(partial, visible(np.ascontiguousarray(volume.array[0], dtype=dtype), volume))


def visible(values: np.ndarray, volume: Volume) -> np.ndarray:
    """Return what a PNG image is to hold: a mask of 0 and 1 becomes 0 and 255, as viewers draw what is stored."""
    return values * values.dtype.type(255) if volume.metadata.get("display_range") == (0, 1) else values


def _natural_order(path: pathlib.Path) -> list[tuple[int, str, str]]:
    """Sort digits as numbers: 9 before 10, 010 after 9."""
    return [
        (int(part), part, "") if part.isdigit() else (0, "", part.lower()) for part in re.split(r"(\d+)", path.name)
    ]


def _stack(
    files: list[pathlib.Path],
    layout: Callable[[pathlib.Path], tuple[tuple[int, int], np.dtype]],
    read: Callable[[pathlib.Path], np.ndarray],
) -> LazyVolume:
    shape, dtype = layout(files[0])
    for file in files[1:]:
        found_shape, found_dtype = layout(file)
        if found_shape != shape or found_dtype != dtype:
            raise InputError(
                f"{file}: found a slice of {found_shape} {found_dtype}, expected {shape} {dtype} as in "
                f"{files[0].name}; give a folder that holds only the slices of one volume"
            )
    return slice_stack(lambda z: read(files[z]), (len(files), *shape), dtype)


def _png_dtype(path: str | os.PathLike, volume: Volume) -> np.dtype:
    def value_range() -> tuple[float, float]:
        statistics = voxel_statistics(volume.array)
        return statistics.minimum, statistics.maximum

    return stored_dtype(
        volume.dtype, PNG_DTYPES, value_range, target=str(path), remedy="write .tif, .mrc or .h5 instead"
    )
