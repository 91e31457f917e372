"""Open and save a volume in whatever format its file has."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from segkit.errors import InputError
from segkit.model_path import MODEL_IS_NO_VOLUME, MODEL_SUFFIX
from segkit.volumes.amira import AMIRA_SUFFIXES, looks_like_amira, read_amira
from segkit.volumes.checks import check_axes
from segkit.volumes.compressed import COMPRESSED_SUFFIXES, is_compressed, read_start
from segkit.volumes.hdf5 import HDF5_SUFFIXES, check_nothing_lost, read_hdf5, split_dataset, write_hdf5
from segkit.volumes.lazy_volume import flipped_rows
from segkit.volumes.mrc import MRC_SUFFIXES, read_mrc
from segkit.volumes.mrc_header import HEADER_BYTES, looks_like_mrc
from segkit.volumes.mrc_output import write_mrc
from segkit.volumes.nifti import NIFTI_SUFFIXES, looks_like_nifti, read_nifti
from segkit.volumes.png import PNG_SUFFIXES
from segkit.volumes.slice_folder import (
    read_single_png,
    read_slice_folder,
    write_single_png,
    write_slice_folder,
)
from segkit.volumes.tiff import TIFF_SUFFIXES, read_tiff
from segkit.volumes.tiff_output import write_tiff
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import move_into_place

_READABLE = "MRC (also .gz, .bz2), TIFF, OME-TIFF, ImageJ, HDF5, NIfTI, AmiraMesh, PNG or a folder of slices"
_WRITABLE = ".mrc .rec .map .st .mrcs (also with .gz or .bz2), .tif, .ome.tif, .h5, .png, or no suffix for a folder"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_KINDS = ("tiff", "ome-tiff", "imagej")
_FLIPPED = "rows_flipped"


def open_volume(
    path: str | os.PathLike,
    *,
    dataset: str | None = None,
    channel: int | None = None,
    flip_y: bool = False,
    unsigned: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Volume:
    """Open a volume without reading its voxels where the format allows it.

    The format is detected from the first bytes of the file, not from its name. Arrays come as (z, y, x) in native
    byte order; rows are in the order of the file.

    Args:
        path: File or folder of slices; ``file.h5:group/dataset`` names a dataset of an HDF5 file.
        dataset: The dataset of an HDF5 file, as an alternative.
        channel: Which channel to take where there are several, from 0 on.
        flip_y: Reverse the order of the rows, for masks that went through a program that reverses them (Fiji
            and ``mrc2tif`` do from MRC to TIFF). An output that is like this volume is flipped back.
        unsigned: Whether the bytes of an MRC file (mode 0) are unsigned, where its header is wrong or does not say;
            ``None`` for what it says.
        progress: Called as ``progress(done, total)`` with bytes while a compressed file is unpacked.

    Returns:
        The volume.

    Raises:
        InputError: If there is no such file, it is of no known format, cut off or damaged, or holds something
            other than one volume.
    """
    file, named = split_dataset(path)
    if named is not None and dataset is not None and named != dataset:
        raise InputError(f"{path}: found two datasets, {named} and {dataset}, expected one; leave one of them out")
    try:
        volume = _open(file, named or dataset, channel, unsigned, progress)
    except (FileNotFoundError, NotADirectoryError) as error:
        where = "" if pathlib.Path(path).is_absolute() else f", which is looked up in {pathlib.Path.cwd()}"
        raise InputError(f"{path}: no such file; check the path{where}") from error
    except PermissionError as error:
        raise InputError(f"{path}: permission denied; ask its owner for read access") from error
    if flip_y:
        # Remembered in the metadata, so that `save_volume` can reverse the rows of an output that is like this volume.
        volume = dataclasses.replace(
            volume, array=flipped_rows(volume.array), metadata={**volume.metadata, _FLIPPED: True}
        )
    return volume


def save_volume(
    path: str | os.PathLike,
    volume: Volume | np.ndarray,
    *,
    like: Volume | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a volume slice by slice; the file is written atomically.

    The suffix chooses the format. ``.tif`` keeps the kind of TIFF of the volume and is an ImageJ hyperstack
    otherwise; ``.ome.tif`` is always OME-TIFF; a path without a suffix is a folder of slices.

    Args:
        path: File or folder to be written; ``file.h5:dataset`` names the dataset.
        volume: What to write; an array ``(z, y, x)`` is written without a voxel size, unless ``like`` has one.
        like: The volume this one was made from. It lends axis order, row order, header and kind of file, and
            voxel size and origin where ``volume`` has none (an origin of 0).
        overwrite: Whether an existing file may be replaced.
        progress: Called as ``progress(done, total)``.

    Raises:
        InputError: If the suffix is of no known format, the format cannot hold the values, the volume has other axes
            than (z, y, x), or the file cannot be written.
    """
    volume = Volume(array=volume) if isinstance(volume, np.ndarray) else volume
    check_axes(volume)
    volume = volume if like is None else _in_likeness(volume, like)
    if volume.metadata.get(_FLIPPED):
        volume = dataclasses.replace(volume, array=flipped_rows(volume.array))
    target, suffix = split_dataset(path)[0], checked_suffix(path)
    if suffix in MRC_SUFFIXES:
        write_mrc(path, volume, overwrite=overwrite, progress=progress)
    elif suffix in TIFF_SUFFIXES:
        is_ome = target.name.lower().endswith((".ome.tif", ".ome.tiff"))
        kind = "ome-tiff" if is_ome else volume.format if volume.format in _TIFF_KINDS else "imagej"
        write_tiff(path, volume, kind=kind, overwrite=overwrite, progress=progress)
    elif suffix in HDF5_SUFFIXES:
        write_hdf5(path, volume, overwrite=overwrite, progress=progress)
    elif suffix in PNG_SUFFIXES:
        write_single_png(path, volume, overwrite=overwrite)
    else:
        write_slice_folder(path, volume, overwrite=overwrite, progress=progress)


def checked_suffix(path: str | os.PathLike) -> str:
    """Return the suffix that chooses the format of an output, the one before ``.gz`` or ``.bz2``.

    Args:
        path: File or folder to be written; ``file.h5:dataset`` names the dataset.

    Returns:
        The suffix in lower case; of a folder none, or any other.

    Raises:
        InputError: If it is of no format that is written, or of one that is not written compressed.

    Example:
        >>> checked_suffix("T.MRC.gz"), checked_suffix("mask.h5:labels"), checked_suffix("slices")
        ('.mrc', '.h5', '')
    """
    target = split_dataset(path)[0]
    suffix, others = _format_suffix(target), (*TIFF_SUFFIXES, *HDF5_SUFFIXES, *PNG_SUFFIXES)
    if target.suffix.lower() in COMPRESSED_SUFFIXES and suffix in others:
        raise InputError(f"{path}: found {target.suffix} on another format than MRC; leave it out")
    if suffix and suffix not in (*MRC_SUFFIXES, *others) and not target.is_dir():
        raise InputError(f"{path}: found the suffix {suffix}, expected one of {_WRITABLE}; choose one of those")
    return suffix


def move_volume(whole: pathlib.Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Move a volume that ``save_volume`` has written under another name to its place, in one step.

    Args:
        whole: What was written, on the disk of ``path``.
        path: File or folder that it is to be, as ``save_volume`` takes it.
        overwrite: Whether an existing file may be replaced.

    Raises:
        InputError: As ``save_volume``, if it would replace something that is to be kept.
    """
    target = split_dataset(path)[0]
    if overwrite and _format_suffix(target) in HDF5_SUFFIXES:
        check_nothing_lost(path)
    is_of_pngs = whole.is_dir() and all(entry.suffix.lower() in PNG_SUFFIXES for entry in whole.iterdir())
    move_into_place(whole, target, suffixes=PNG_SUFFIXES if is_of_pngs else TIFF_SUFFIXES, overwrite=overwrite)


def suffix_like(volume: Volume) -> str:
    """Return the suffix of an output in the format of a volume, such as ``".mrc"``; empty for a folder."""
    if volume.metadata.get("slice_names"):
        return ""
    return {"ome-tiff": ".ome.tif", "hdf5": ".h5", "png": ".png", "tiff": ".tif", "imagej": ".tif"}.get(
        volume.format or "", ".mrc"
    )


def _open(
    file: pathlib.Path,
    dataset: str | None,
    channel: int | None,
    unsigned: bool | None,
    progress: Callable[[int, int], None] | None,
) -> Volume:
    if file.is_dir():
        _check_single_channel(file, channel)
        return read_slice_folder(file)
    # Unpacked: a compressed file is known by what is inside.
    start = read_start(file, HEADER_BYTES)
    is_packed = is_compressed(file)
    if not start:
        raise InputError(f"{file}: found an empty or cut-off file, expected {_READABLE}; copy it again")
    if not is_packed and start.startswith(b"\x89HDF\r\n\x1a\n"):
        return read_hdf5(file, dataset=dataset, channel=channel)
    if dataset is not None:
        raise InputError(f"{file}: found no HDF5 file, expected one with the dataset {dataset}; leave the dataset out")
    if not is_packed and start.startswith(_TIFF_STARTS):
        return read_tiff(file, channel=channel)
    _check_single_channel(file, channel)
    if not is_packed and start.startswith(b"\x89PNG"):
        return read_single_png(file)
    suffix = _format_suffix(file)
    if looks_like_amira(start):
        return read_amira(file)
    if looks_like_nifti(start):
        return read_nifti(file, progress=progress)
    # Last, as a header without the mark is known by sound values alone, which other formats may have by chance.
    if looks_like_mrc(start) or suffix in MRC_SUFFIXES:
        return read_mrc(file, unsigned=unsigned, progress=progress)
    if suffix in (*TIFF_SUFFIXES, *HDF5_SUFFIXES, *PNG_SUFFIXES, *NIFTI_SUFFIXES, *AMIRA_SUFFIXES):
        raise InputError(f"{file}: found no {suffix[1:]} data in it, expected {_READABLE}; check the file")
    if suffix == MODEL_SUFFIX:
        raise InputError(f"{file}: is a model and no volume; {MODEL_IS_NO_VOLUME}")
    raise InputError(f"{file}: found an unknown format, expected {_READABLE}; convert it to one of those")


def _check_single_channel(path: pathlib.Path, channel: int | None) -> None:
    """Refuse another channel than the first where there is only one."""
    if channel:
        raise InputError(f"{path}: has one channel, but channel {channel} was chosen; leave it out")


def _format_suffix(path: pathlib.Path) -> str:
    """Return the suffix that names the format, the one before ``.gz`` or ``.bz2``."""
    suffix = path.suffix.lower()
    return pathlib.Path(path.stem).suffix.lower() if suffix in COMPRESSED_SUFFIXES else suffix


def _in_likeness(volume: Volume, like: Volume) -> Volume:
    # An origin of 0 is that of volumes made in memory, and counts as none.
    has_origin = any(volume.origin_nm)
    return dataclasses.replace(
        volume,
        voxel_size_nm=volume.voxel_size_nm or like.voxel_size_nm,
        origin_nm=volume.origin_nm if has_origin else like.origin_nm,
        file_axes=like.file_axes,
        format=like.format,
        metadata=like.metadata,
    )
