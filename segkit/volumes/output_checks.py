"""Outputs that would destroy what they are made from, or a volume; refused before anything is computed."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable

from segkit.errors import InputError
from segkit.model_path import MODEL_SUFFIX
from segkit.volumes.amira import AMIRA_SUFFIXES
from segkit.volumes.compressed import COMPRESSED_SUFFIXES
from segkit.volumes.hdf5 import HDF5_SUFFIXES, split_dataset
from segkit.volumes.mrc import MRC_SUFFIXES
from segkit.volumes.nifti import NIFTI_SUFFIXES
from segkit.volumes.png import PNG_SUFFIXES
from segkit.volumes.tiff import TIFF_SUFFIXES

_OF_VOLUMES = {*MRC_SUFFIXES, *TIFF_SUFFIXES, *HDF5_SUFFIXES, *PNG_SUFFIXES, *NIFTI_SUFFIXES, *AMIRA_SUFFIXES}


def check_not_input(output: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str] | None]) -> None:
    """Refuse an output that would replace an input, or become one of its slices; links are followed.

    Args:
        output: File or folder to be written; ``file.h5:dataset`` names the dataset.
        inputs: Files or folders that are read, named likewise; ``None`` for a volume that is no file.

    Raises:
        InputError: If it is one of them, inside a folder that is one, or a folder that one is inside of.
    """
    target = split_dataset(output)[0]
    real = pathlib.Path(os.path.realpath(target))
    for path in filter(None, inputs):
        source = pathlib.Path(os.path.realpath(split_dataset(path)[0]))
        # Hard links, and names that differ by case on some disks, are the same file under another path.
        if real == source or (real.exists() and source.exists() and real.samefile(source)):
            raise InputError(f"{target}: is the input; choose another output")
        if source.is_dir() and real.is_relative_to(source):
            raise InputError(f"{target}: is inside the input, a folder of slices; choose an output outside of it")
        if source.is_relative_to(real):
            raise InputError(f"{target}: is a folder that holds the input {path}; choose another output")


def check_text_output(path: str | os.PathLike[str], option: str, example: str) -> None:
    """Refuse to write text to a file that is named as a volume or a model is.

    Args:
        path: File to be written.
        option: The option that names it.
        example: A suffix that it may have.

    Raises:
        InputError: If it has the suffix of a volume, a model or a compressed file.
    """
    suffix = split_dataset(path)[0].suffix.lower()
    if suffix in COMPRESSED_SUFFIXES:
        raise InputError(f"{option} {path}: text is not written compressed; choose a name that ends in {example}")
    if suffix in {*_OF_VOLUMES, MODEL_SUFFIX}:
        what = "model" if suffix == MODEL_SUFFIX else "volume"
        raise InputError(f"{option} {path}: {suffix} is the suffix of a {what}; choose a name that ends in {example}")
