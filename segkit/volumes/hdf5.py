"""Read and write volumes in HDF5 files, voxel size in the attribute ``element_size_um``."""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.volumes.checks import check_extent
from segkit.volumes.hdf5_process import describe_hdf5, read_hdf5_region
from segkit.volumes.lazy_volume import LazyVolume, Region, transposed
from segkit.volumes.volume import ArrayLike3D, Volume
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
    name, facts = _choose(path, describe_hdf5(path), dataset)
    where = f"{path}:{name}"
    _check_sources(path, name, facts)
    picks, file_axes = _layout(where, _shape(facts), _named_axes(where, facts), channel)
    if facts["dtype"] is None:
        raise InputError(
            f"{where}: found {facts['type_name']} of shape {_shape(facts)}, expected numbers; name another dataset"
        )
    dtype = np.dtype(facts["dtype"]).newbyteorder("=")
    check_extent(where, [facts["shape"][axis] for axis in file_axes])
    array = _array(path, name, facts["shape"], picks, file_axes, dtype)
    stacked = "".join("zyx"[file_axes.index(axis)] for axis in sorted(file_axes))
    voxel_size_nm, origin_nm, warnings = _geometry(facts["attributes"], len(file_axes))
    if facts["chunks"] and (unwritten := _unwritten_share(facts)):
        warnings += (f"{unwritten:.0%} of the dataset were never written and are read as its fill value",)
    return Volume(
        array=array,
        voxel_size_nm=voxel_size_nm,
        origin_nm=origin_nm,
        file_axes=stacked if len(stacked) == 3 else "zyx",
        format="hdf5",
        source=path,
        metadata={"dataset": name, "compression": facts["compression"]},
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


def _choose(path: pathlib.Path, datasets: dict[str, Any], name: str | None) -> tuple[str, dict[str, Any]]:
    listing = ", ".join(f"{key} {_shape(facts)}" for key, facts in datasets.items()) or "none"
    if name is not None:
        if name.strip("/") not in datasets:
            raise InputError(f"{path}: found the datasets {listing}, expected {name}; name one of those")
        return name.strip("/"), datasets[name.strip("/")]
    # The only stack, or without any stack the only image.
    for num_axes in (3, 2):
        fitting = [key for key, facts in datasets.items() if len(_shape(facts)) == num_axes]
        if len(fitting) == 1:
            return fitting[0], datasets[fitting[0]]
        if fitting:
            break
    if len(datasets) == 1:  # with channels, or nothing that can be read, which is said of it by name
        return next(iter(datasets.items()))
    raise InputError(
        f"{path}: found the datasets {listing}, expected exactly one with three axes; name one ({path}:DATASET)"
    )


def _shape(facts: dict[str, Any]) -> tuple[int, ...]:
    return tuple(facts["shape"] or ())


def _check_sources(path: pathlib.Path, name: str, facts: dict[str, Any], above: tuple = ()) -> None:
    """Refuse a dataset whose values are elsewhere: in files that are missing or outside its folder, or in itself.

    The HDF5 library opens whatever file is named, and reads zeros where there is none.
    """
    where = f"{path}:{name}"
    if facts["external"]:
        raise InputError(
            f"{where}: its values are in the file {facts['external'][0]!r}, which is not opened; copy them into one "
            "HDF5 file (h5repack)"
        )
    if (here := (path.resolve(), name)) in above:
        raise InputError(f"{where}: is a virtual dataset that is made of itself; write it again")
    for file_name, dataset in facts["sources"]:
        source = path if file_name == "." else path.parent / file_name
        if not source.resolve().is_relative_to(path.parent.resolve()):
            raise InputError(f"{where}: is made of {file_name!r}, outside its folder; move that file beside it")
        if not source.is_file():
            raise InputError(f"{where}: is made of {file_name!r}, which is missing; copy that file, too")
        found = describe_hdf5(source)
        if dataset.strip("/") not in found:
            raise InputError(f"{where}: is made of {file_name}:{dataset}, which is missing; copy that file again")
        _check_sources(source, dataset.strip("/"), found[dataset.strip("/")], (*above, here))


def _named_axes(where: str, facts: dict[str, Any]) -> str | None:
    """Return the names of a dataset's axes where a program has stored them (ilastik: ``axistags``)."""
    stored = facts["attributes"].get("axistags")
    if stored is None:
        return None
    try:
        axes = "".join(axis["key"] for axis in json.loads(stored)["axes"]).lower()
    except (ValueError, KeyError, TypeError):
        axes = ""
    if len(axes) != len(_shape(facts)) or len(set(axes)) != len(axes) or not set("yx") <= set(axes) <= set("tzyxc"):
        raise InputError(
            f"{where}: the attribute axistags does not name the axes of the shape {_shape(facts)}; correct or remove it"
        )
    return axes


def _layout(
    where: str, shape: tuple[int, ...], axes: str | None, channel: int | None
) -> tuple[list[int | None], list[int]]:
    """Return the index to take along each axis, ``None`` for all of it, and which axes are z, y and x."""
    if 0 in shape:
        raise InputError(f"{where}: found an empty dataset of shape {shape}, expected voxels; name another dataset")
    if axes is None:
        # Without names: (y, x), (z, y, x), and channels in front, or a single one behind, as ilastik writes.
        is_trailing = len(shape) == 4 and shape[-1] == 1 and shape[0] > 1
        axes = {2: "yx", 3: "zyx", 4: "zyxc" if is_trailing else "czyx"}.get(len(shape))
        if axes is None:
            raise InputError(f"{where}: found the shape {shape}, expected (z, y, x); name another dataset")
    picks: list[int | None] = [None] * len(axes)
    for at, (axis, length) in enumerate(zip(axes, shape, strict=True)):
        if axis == "c":
            if channel is None and length > 1:
                raise InputError(
                    f"{where}: found {length} channels, expected one; choose one from 0 to {length - 1} (--channel)"
                )
            if not 0 <= (channel or 0) < length:
                raise InputError(f"{where}: has no channel {channel}; choose one from 0 to {length - 1}")
            picks[at] = channel or 0
        elif axis == "t":
            if length > 1:
                raise InputError(f"{where}: found {length} time points, expected one volume; save one by itself")
            picks[at] = 0
    if channel and "c" not in axes:
        raise InputError(f"{where}: has one channel, but channel {channel} was chosen; leave it out")
    return picks, [axes.index(axis) for axis in "zyx" if axis in axes]


def _array(
    path: pathlib.Path,
    name: str,
    shape: list[int],
    picks: list[int | None],
    file_axes: list[int],
    dtype: np.dtype,
) -> ArrayLike3D:
    """Return a volume (z, y, x) whose parts are read from the file."""
    ordered = sorted(file_axes)

    def read(region: Region) -> np.ndarray:
        parts = dict(zip(ordered, region[3 - len(ordered) :], strict=True))
        chosen = tuple(parts[axis] if pick is None else pick for axis, pick in enumerate(picks))
        values = read_hdf5_region(path, name, chosen, dtype)
        return values if len(ordered) == 3 else values[np.newaxis]

    # An image (y, x) is a volume (1, y, x).
    stack = LazyVolume(read, (1,) * (3 - len(ordered)) + tuple(shape[axis] for axis in ordered), dtype)
    leading = list(range(3 - len(ordered)))
    return transposed(stack, tuple(leading + [ordered.index(axis) + len(leading) for axis in file_axes]))


def _unwritten_share(facts: dict[str, Any]) -> float:
    """Return which share of the chunks of a dataset are not in its file."""
    chunks = math.prod(-(-size // chunk) for size, chunk in zip(facts["shape"], facts["chunks"], strict=True))
    return 1 - facts["stored_chunks"] / chunks


def _geometry(
    attributes: dict[str, Any], num_axes: int
) -> tuple[tuple[float, float, float] | None, tuple[float, float, float], tuple[str, ...]]:
    origin = _numbers(attributes.get(ORIGIN_ATTRIBUTE))
    origin_nm = (origin[0], origin[1], origin[2]) if len(origin) == 3 else (0.0, 0.0, 0.0)
    stored = attributes.get(VOXEL_SIZE_ATTRIBUTE)
    if stored is None:
        return None, origin_nm, (f"voxel size unknown: the dataset has no attribute {VOXEL_SIZE_ATTRIBUTE}",)
    sizes = [size * _NM_PER_UM for size in _numbers(stored)]
    if num_axes == 2 and len(sizes) == 2:
        # An image has no slice distance; the size of a pixel stands for it.
        sizes = [sizes[1], *sizes]
    if len(sizes) != 3 or not all(math.isfinite(size) and size > 0 for size in sizes):
        return None, origin_nm, (f"voxel size unknown: {VOXEL_SIZE_ATTRIBUTE} is {stored}",)
    return (sizes[0], sizes[1], sizes[2]), origin_nm, ()


def _numbers(stored: Any) -> list[float]:
    """Return the finite numbers that an attribute holds; none if it holds anything else."""
    try:
        numbers = np.ravel(np.asarray(stored, dtype=float)).tolist()
    except (TypeError, ValueError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def check_nothing_lost(path: str | os.PathLike) -> None:
    """Check that replacing an HDF5 file by one of a single dataset loses no other.

    Args:
        path: As ``write_hdf5`` takes it.

    Raises:
        InputError: If the file holds other datasets.
    """
    target, name = split_dataset(path)
    if not target.is_file():
        return
    try:
        others = [key for key in describe_hdf5(target) if key != (name or _OUTPUT_DATASET).strip("/")]
    except InputError:
        # No readable HDF5 file: there are no datasets to lose, and replacing it was asked for.
        return
    if others:
        raise InputError(
            f"{target}: holds the datasets {', '.join(others)}, which replacing the file would lose; "
            "choose another output file"
        )
