"""Write a phantom as the files of a real data set: one MRC stack and one MRC mask for each structure."""

from __future__ import annotations

import os
import pathlib

import mrcfile
import numpy as np

from segkit.data.phantom.generate import Phantom
from segkit.errors import InputError

TOMOGRAM = "tomogram"


def write_phantom(
    phantom: Phantom, folder: str | os.PathLike[str], *, overwrite: bool = False
) -> dict[str, pathlib.Path]:
    """Write ``tomogram.mrc`` and ``<structure>.mrc`` (0 and 1), all mode 0 (int8) with the voxel size.

    The label in every header says that it is a phantom, and its seed. All files are complete before the first
    one takes its place. Equal phantoms give equal files.

    Args:
        phantom: What to write.
        folder: Where; made if missing.
        overwrite: Replace files that exist.

    Returns:
        Paths by ``"tomogram"`` and structure name.

    Raises:
        InputError: If a file exists and ``overwrite`` is false, or ``folder`` is a file.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"phantom: {folder} is a file; name a folder")
    arrays = {TOMOGRAM: phantom.tomogram, **phantom.masks}
    paths = {name: folder / f"{name}.mrc" for name in arrays}
    existing = [path for path in paths.values() if path.exists()]
    if existing and not overwrite:
        raise InputError(f"{existing[0]}: already exists; name another folder, or allow it to be overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = {name: folder / f".{name}.mrc.{os.getpid()}" for name in arrays}
    try:
        for name, array in arrays.items():
            _write_mrc(unfinished[name], array, phantom, name)
        for name, path in paths.items():
            os.replace(unfinished[name], path)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)
    return paths


def _write_mrc(path: pathlib.Path, array: np.ndarray, phantom: Phantom, name: str) -> None:
    z, y, x = (10.0 * size for size in phantom.voxel_size_nm)  # nm to angstrom
    with mrcfile.new(path, overwrite=True) as mrc:
        # uint8 would be written in 16 bits; 0 and 1 are the same in int8.
        mrc.set_data(array.view(np.int8))
        mrc.voxel_size = (x, y, z)
        mrc.header.label[:] = b""
        mrc.header.label[0] = f"segkit phantom (not a real tomogram): {name}, seed {phantom.seed}"
        mrc.header.nlabl = 1
    with open(path, "rb") as written:
        os.fsync(written.fileno())
