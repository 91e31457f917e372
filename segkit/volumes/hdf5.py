"""Read and write volumes in HDF5 files, voxel size in the attribute ``element_size_um``."""

from __future__ import annotations

import math
import os
import pathlib
import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.volumes.lazy_volume import LazyVolume, Region
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import whole_file

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
VOXEL_SIZE_ATTRIBUTE = "element_size_um"
ORIGIN_ATTRIBUTE = "origin_nm"

_NM_PER_UM = 1000.0
_OUTPUT_DATASET = "mask"


def split_dataset(path: str | os.PathLike) -> tuple[pathlib.Path, str | None]:
    """Split ``file.h5:group/dataset`` into the file and the dataset, ``None`` where none is named."""
    match = re.fullmatch(r"(.+\.(?:h5|hdf5|hdf)):(.+)", os.fspath(path), flags=re.IGNORECASE)
    return (pathlib.Path(match[1]), match[2]) if match else (pathlib.Path(path), None)


def read_hdf5(path: pathlib.Path, *, dataset: str | None = None, channel: int | None = None) -> Volume:
    """Open one dataset of an HDF5 file; parts are read on access.

    Args:
        path: The file.
        dataset: Path of the dataset inside. Where it is left out, the only 3-D dataset is taken.
        channel: Which entry of the first axis to take of a dataset (channel, z, y, x).

    Returns:
        The volume. A 2-D dataset is a volume of one slice.

    Raises:
        InputError: If the file is not an HDF5 file or is cut off, ``dataset`` is missing or ambiguous, or the
            dataset does not hold numbers on two or three axes.
    """
    import h5py  # heavy, and only needed for this format

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(_unreadable(path, str(error))) from error
    try:
        chosen = _choose(path, file, dataset)
        leading, shape = _layout(path, chosen, channel)
        array = LazyVolume(lambda region: _read(chosen, leading, region), shape, chosen.dtype.newbyteorder("="))
        voxel_size_nm, origin_nm, warnings = _geometry(chosen, len(chosen.shape))
    except BaseException:
        file.close()
        raise
    # The file stays open as long as its array is in use.
    weakref.finalize(array, file.close)
    return Volume(
        array=array,
        voxel_size_nm=voxel_size_nm,
        origin_nm=origin_nm,
        format="hdf5",
        source=path,
        metadata={"dataset": chosen.name.lstrip("/"), "compression": chosen.compression},
        warnings=warnings,
    )


def write_hdf5(
    path: str | os.PathLike,
    volume: Volume,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a volume as the one dataset of a new HDF5 file, one slice at a time.

    Args:
        path: File to be written, or ``file.h5:group/dataset``; the dataset is ``mask`` where it is left out.
        volume: What to write, with the attributes ``element_size_um`` and ``origin_nm``, both (z, y, x).
        overwrite: Whether an existing file may be replaced. One that holds other datasets never is.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If the file cannot be written, or replacing it would lose other datasets.
    """
    import h5py  # heavy, and only needed for this format

    target, name = split_dataset(path)
    name = name or _OUTPUT_DATASET
    if overwrite:
        check_nothing_lost(path)
    # h5py stores bool as an enumeration, which other programs do not read as numbers.
    dtype = np.dtype(np.uint8) if volume.dtype == np.bool_ else volume.dtype
    with (
        whole_file(target, overwrite=overwrite, expected_bytes=volume.nbytes) as partial,
        h5py.File(partial, "w") as file,
    ):
        written = file.create_dataset(
            name,
            shape=volume.shape,
            dtype=dtype,
            # Compression needs chunks; one per slice, as slices are written and mostly read.
            chunks=(1, *volume.shape[1:]) if volume.metadata.get("compression") else None,
            compression=volume.metadata.get("compression"),
        )
        if volume.voxel_size_nm is not None:
            written.attrs[VOXEL_SIZE_ATTRIBUTE] = [size / _NM_PER_UM for size in volume.voxel_size_nm]
        written.attrs[ORIGIN_ATTRIBUTE] = volume.origin_nm
        for z in range(volume.shape[0]):
            written[z] = volume.array[z]
            if progress is not None:
                progress(z + 1, volume.shape[0])


def _unreadable(path: pathlib.Path, message: str) -> str:
    # The HDF5 library states both sizes of a truncated file in its message.
    cut = re.search(r"eof = (\d+).*stored_eof = (\d+)", message)
    if cut:
        found, expected = int(cut[1]), int(cut[2])
        return f"{path}: cut off: found {found:,} bytes, expected {expected:,}; copy the file again"
    return f"{path}: cannot be read as HDF5 ({message}); check that it is what its name says, or copy it again"


def _datasets(file: Any) -> dict[str, Any]:
    import h5py  # as above

    found: dict[str, Any] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(collect)
    return found


def _choose(path: pathlib.Path, file: Any, name: str | None) -> Any:
    datasets = _datasets(file)
    listing = ", ".join(f"{key} {item.shape}" for key, item in datasets.items()) or "none"
    if name is not None:
        if name.strip("/") not in datasets:
            raise InputError(f"{path}: found the datasets {listing}, expected {name}; name one of those")
        return datasets[name.strip("/")]
    # The only stack, or without any stack the only image.
    for num_axes in (3, 2):
        fitting = [item for item in datasets.values() if item.shape and len(item.shape) == num_axes]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            break
    raise InputError(
        f"{path}: found the datasets {listing}, expected exactly one with three axes; name one ({path}:DATASET)"
    )


def _layout(path: pathlib.Path, dataset: Any, channel: int | None) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    """Return the fixed leading indices of a dataset, and the shape (z, y, x) of what follows."""
    where, shape = f"{path}:{dataset.name.lstrip('/')}", dataset.shape or ()
    if 0 in shape:
        raise InputError(f"{where}: found an empty dataset of shape {shape}, expected voxels; name another dataset")
    if dataset.dtype.kind not in "biuf":
        raise InputError(f"{where}: found {dataset.dtype} of shape {shape}, expected numbers; name another dataset")
    if len(shape) == 4:
        if channel is None and shape[0] > 1:
            raise InputError(f"{where}: found {shape[0]} channels, expected one; choose a channel, counted from 0")
        if not 0 <= (channel or 0) < shape[0]:
            raise InputError(f"{where}: found {shape[0]} channels, expected more than {channel}; choose another")
        return (channel or 0,), shape[1:]
    if len(shape) not in (2, 3):
        raise InputError(f"{where}: found the shape {shape}, expected (z, y, x); name another dataset")
    # An image (y, x) is a volume (1, y, x).
    return (), (1,) * (3 - len(shape)) + shape


def _read(dataset: Any, leading: tuple[int, ...], region: Region) -> np.ndarray:
    values = dataset[region[1:]][None] if len(dataset.shape) == 2 else dataset[(*leading, *region)]
    return np.asarray(values, dtype=dataset.dtype.newbyteorder("="))


def _geometry(
    dataset: Any, num_axes: int
) -> tuple[tuple[float, float, float] | None, tuple[float, float, float], tuple[str, ...]]:
    origin = np.ravel(dataset.attrs.get(ORIGIN_ATTRIBUTE, (0.0, 0.0, 0.0))).astype(float)
    origin_nm = tuple(origin.tolist()) if origin.size == 3 and np.isfinite(origin).all() else (0.0, 0.0, 0.0)
    stored = dataset.attrs.get(VOXEL_SIZE_ATTRIBUTE)
    if stored is None:
        return None, origin_nm, (f"voxel size unknown: the dataset has no attribute {VOXEL_SIZE_ATTRIBUTE}",)
    try:
        sizes = [float(size) * _NM_PER_UM for size in np.ravel(stored)]
    except ValueError:
        sizes = []
    if num_axes == 2 and len(sizes) == 2:
        # An image has no slice distance; the size of a pixel stands for it.
        sizes = [sizes[1], *sizes]
    if len(sizes) != 3 or not all(math.isfinite(size) and size > 0 for size in sizes):
        return None, origin_nm, (f"voxel size unknown: {VOXEL_SIZE_ATTRIBUTE} is {stored}",)
    return (sizes[0], sizes[1], sizes[2]), origin_nm, ()


def check_nothing_lost(path: str | os.PathLike) -> None:
    """Check that replacing an HDF5 file by one of a single dataset loses no other.

    Args:
        path: As ``write_hdf5`` takes it.

    Raises:
        InputError: If the file holds other datasets.
    """
    import h5py  # as above

    target, name = split_dataset(path)
    if not target.is_file():
        return
    try:
        with h5py.File(target, "r") as file:
            others = [key for key in _datasets(file) if key != (name or _OUTPUT_DATASET).strip("/")]
    except OSError:
        # No readable HDF5 file: there are no datasets to lose, and replacing it was asked for.
        return
    if others:
        raise InputError(
            f"{target}: holds the datasets {', '.join(others)}, which replacing the file would lose; "
            "choose another output file"
        )
