"""Read TIFF stacks (plain, OME-TIFF, ImageJ): memory-mapped where contiguous, else page by page."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import numpy as np
import tifffile

from segkit.errors import InputError, faults_told
from segkit.volumes.checks import check_extent
from segkit.volumes.lazy_volume import LazyVolume, in_native_byte_order, transposed
from segkit.volumes.mapped_file import mapped_file
from segkit.volumes.ome import check_ome
from segkit.volumes.tiff_pages import (
    check_directories,
    check_pages,
    check_reach,
    page_stack,
    page_values,
)
from segkit.volumes.tiff_voxel_size import tiff_voxel_size
from segkit.volumes.volume import Volume

TIFF_SUFFIXES = (".tif", ".tiff", ".btf")

_Picks = tuple[int | slice, ...]


def read_tiff(path: pathlib.Path, *, channel: int | None = None) -> Volume:
    """Open the first image series of a TIFF file as a volume.

    Args:
        path: The file.
        channel: Which channel to take where there are several, from 0 on.

    Returns:
        The volume; a single image is a volume of one slice. A time axis is taken as z, with a warning.

    Raises:
        InputError: If the file is not a TIFF file or is cut off, holds several channels and ``channel`` names
            none of them, holds colour, or has more axes than a volume.
    """
    with faults_told(path, "TIFF"):
        tif = tifffile.TiffFile(path)
        try:
            return _open_series(path, tif, channel)
        except BaseException:
            tif.close()
            raise


def read_tiff_slice(path: pathlib.Path) -> np.ndarray:
    """Read the only page of a TIFF file (y, x).

    Raises:
        InputError: If the file cannot be read, or is not one grey image.
    """
    with faults_told(path, "TIFF"), tifffile.TiffFile(path) as tif:
        _check_one_page(path, tif)
        return page_values(tif.pages.first)


def tiff_slice_layout(path: pathlib.Path) -> tuple[tuple[int, int], np.dtype]:
    """Return shape (y, x) and type of the only page of a TIFF file.

    Raises:
        InputError: If the file cannot be read, or is not one grey image.
    """
    with faults_told(path, "TIFF"), tifffile.TiffFile(path) as tif:
        _check_one_page(path, tif)
        return tif.pages.first.shape, tif.pages.first.dtype


def _check_one_page(path: pathlib.Path, tif: tifffile.TiffFile) -> None:
    page = tif.pages.first
    if len(tif.pages) > 1 or len(page.shape) != 2:
        is_grey = len(page.shape) == 2
        advice = (
            "a folder is one volume with one slice per file: give the path of the stack itself, or of each stack"
            if is_grey
            else "convert it to grey"
        )
        raise InputError(
            f"{path}: found {len(tif.pages)} pages of shape {page.shape}, expected one grey image in every file of a "
            f"folder of slices; {advice}"
        )
    check_directories(path, tif)
    check_pages(path, [page])


def _open_series(path: pathlib.Path, tif: tifffile.TiffFile, channel: int | None) -> Volume:
    warnings: list[str] = []
    check_directories(path, tif)
    _check_imagej_whole(path, tif)
    if tif.is_ome:
        check_ome(path, tif.ome_metadata or "")
    series = tif.series[0]
    # Choose the axes of the volume, then map its planes or read it page by page.
    is_loose = _is_loose_stack(tif)
    if len(tif.series) > 1 and not is_loose:
        warnings.append(f"the file holds {len(tif.series)} image series; the first is read")
    if tif.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        warnings.append("the file says that 0 is white; values are taken as they are stored")
    if series.dtype is None or series.dtype.kind not in "biuf":
        raise InputError(f"{path}: found {series.dtype} values, expected real numbers; convert them first")
    kept, picks = _choose_axes(path, series, channel, warnings)
    check_extent(str(path), series.shape)
    planes = None if is_loose else _mapped(series, picks)
    # A mapping has a handle of its own; only a stack of pages still needs the file.
    is_mapped = planes is not None
    if planes is None:
        pages = [page for part in tif.series for page in part.pages] if is_loose else list(series.pages)
        check_pages(path, pages)
        planes = page_stack(tif, pages if is_loose else _chosen_pages(path, series, pages, kept, picks))
    axes = "".join(axis.lower() if axis in "YX" else "z" for axis in kept)
    # A single image has no stack axis; its planes are (1, y, x).
    axes = axes if len(axes) == 3 else "z" + axes
    array = in_native_byte_order(transposed(planes, tuple(axes.index(axis) for axis in "zyx")))
    kind = "ome-tiff" if tif.is_ome else "imagej" if tif.is_imagej else "tiff"
    voxel_size_nm = tiff_voxel_size(tif, array.shape[0], warnings)
    if is_mapped:
        tif.close()
    return Volume(
        array=array,
        voxel_size_nm=voxel_size_nm,
        file_axes=axes,
        format=kind,
        source=path,
        warnings=tuple(warnings),
    )


def _is_loose_stack(tif: tifffile.TiffFile) -> bool:
    """Recognise a stack whose slices were written one by one, each as a separate image."""
    kinds = {(part.axes, part.shape, part.dtype) for part in tif.series}
    return len(tif.series) > 1 and len(kinds) == 1 and tif.series[0].axes == "YX"


def _check_imagej_whole(path: pathlib.Path, tif: tifffile.TiffFile) -> None:
    """Find a cut-off ImageJ stack, of which only the first page is described."""
    described = (tif.imagej_metadata or {}).get("images", 1)
    page = tif.pages.first
    # ImageJ describes only the first page of a large stack; the others follow it without a gap.
    if described > 1 and page.is_final and len(tif.pages) < described:
        check_reach(path, page.dataoffsets[0] + described * page.nbytes)


def _choose_axes(path: pathlib.Path, series: Any, channel: int | None, warnings: list[str]) -> tuple[str, _Picks]:
    """Name the volume's axes in the order of the file, and what to pick along each axis of the series."""
    axes, shape = series.axes, series.shape
    kept, picks = "", []
    for axis, length in zip(axes, shape, strict=True):
        # A stack along any axis (Z, T, or one without a name) is taken as z.
        if axis in "YX" or (length > 1 and axis not in "CS"):
            kept += axis
            picks.append(slice(None))
        elif axis == "S" and length > 1:
            raise InputError(
                f"{path}: found colour ({length} samples per pixel), expected grey; convert it to grey (in Fiji: "
                "Image > Type > 8-bit)"
            )
        elif axis == "C" and length > 1:
            picks.append(_checked_channel(path, length, channel))
        else:
            picks.append(0)
    if channel and not any(axis == "C" and length > 1 for axis, length in zip(axes, shape, strict=True)):
        raise InputError(f"{path}: has one channel, but channel {channel} was chosen; leave it out")
    stacked = kept.replace("Y", "").replace("X", "")
    if len(stacked) > 1 or len(kept) - len(stacked) != 2:
        raise InputError(f"{path}: found the axes {axes} {shape}, expected one stack of images; save one volume")
    if stacked == "T":
        warnings.append("the file calls its stack a time series; time is taken as z")
    return kept, tuple(picks)


def _checked_channel(path: pathlib.Path, num_channels: int, channel: int | None) -> int:
    if channel is None or not 0 <= channel < num_channels:
        wanted = "none was chosen" if channel is None else f"{channel} was chosen"
        raise InputError(
            f"{path}: found {num_channels} channels and {wanted}; choose one from 0 to "
            f"{num_channels - 1} (--channel), save that one alone, or save them as a z stack if they are slices"
        )
    return channel


def _mapped(series: Any, picks: _Picks) -> LazyVolume | None:
    """Map the planes of a series that is stored contiguously; ``None`` for any other."""
    # No offset: compressed, or with gaps between the pages.
    if series.is_multifile or series.dataoffset is None:
        return None
    # The pages of an OME-TIFF may all be in another file.
    holder = series.keyframe.parent
    source = pathlib.Path(holder.filehandle.path)
    shape, dtype = series.shape, series.dtype.newbyteorder(holder.byteorder)
    check_reach(source, series.dataoffset + math.prod(shape) * dtype.itemsize)
    with open(source, "rb") as file:
        return mapped_file(source, file, dtype, series.dataoffset, shape, picks)


def _chosen_pages(path: pathlib.Path, series: Any, pages: list[Any], kept: str, picks: _Picks) -> list[Any]:
    """Return the pages that make up the volume, in order."""
    axes, shape = series.axes, series.shape
    # Pages are numbered in C order over all axes but those within a page.
    over_pages = [i for i, axis in enumerate(axes) if axis not in "YXS"]
    lengths = [shape[i] for i in over_pages]
    if not kept.endswith("YX") or math.prod(lengths) != len(pages) or len(pages[0].shape) != 2:
        raise InputError(
            f"{path}: found the axes {kept} in {len(pages)} compressed pages of shape {pages[0].shape}, "
            "expected one image (y, x) per page; save it uncompressed"
        )
    chosen = np.arange(len(pages)).reshape(lengths)[tuple(picks[i] for i in over_pages)]
    return [pages[i] for i in np.ravel(chosen)]
