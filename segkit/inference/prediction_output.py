"""The files that a prediction writes: checked in advance, written beside the blocks, then moved to their places."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.inference.legend import legend_path
from segkit.volumes.block_store import BlockStore
from segkit.volumes.files import checked_suffix, move_volume, save_volume
from segkit.volumes.hdf5 import HDF5_SUFFIXES, check_nothing_lost, split_dataset
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import check_output, move_into_place

Marks = Mapping[str, Sequence[int]]
"""What tells a file from every other one at its path, by its name: number of the inode, and time of the last change
[ns]. Moving the file changes neither."""


class PredictionOutput:
    """The result of a prediction and its legend, which several processes may write and any of which may be killed.

    Both are written into the folder of the blocks, and what identifies them is stored there, before they are moved: a
    process that finds an output can tell whether it is the one that a killed process has published.

    Args:
        path: File or folder to be written; ``file.h5:dataset`` names the dataset.
        has_legend: Whether a legend belongs to it.
        overwrite: Replace existing files.

    Raises:
        InputError: If the path has no name.

    Attributes:
        path: File or folder to be written.
        legend: Path of the legend; ``None`` without one.
        folder: Where the blocks are kept until the result is whole, on the disk that the result is written to.
    """

    def __init__(self, path: str | os.PathLike[str], *, has_legend: bool = False, overwrite: bool = False) -> None:
        if pathlib.Path(path).name in ("", ".."):
            raise InputError(f"{path}: names no file; give a file, or a folder to be made for slices")
        self._asked, self._overwrite = path, overwrite
        self.path = split_dataset(path)[0]
        self.legend = legend_path(self.path) if has_legend else None
        real = pathlib.Path(os.path.realpath(self.path))
        self.folder = real.with_name(f"{real.name}.partial")

    def check(self, *, expected_bytes: int = 0) -> None:
        """Check that the files can be written; one that a killed process has published is no obstacle.

        Args:
            expected_bytes: Room that is needed [byte]; 0 where that is not known.

        Raises:
            InputError: If they cannot.
        """
        checked_suffix(self._asked)
        marks = (BlockStore.outcome_in(self.folder) or {}).get("outputs", {})
        for path in self._paths:
            if not _is_marked(path, marks):
                check_output(path, overwrite=self._overwrite, expected_bytes=expected_bytes * (path == self.path))
        if self._overwrite and self.path.suffix.lower() in HDF5_SUFFIXES and not _is_marked(self.path, marks):
            check_nothing_lost(self._asked)

    def is_published(self, marks: Marks) -> bool:
        """Return whether the files that were prepared are in their places."""
        return all(_is_marked(path, marks) for path in self._paths)

    def prepare(
        self, folder: pathlib.Path, volume: Volume, *, like: Volume, write_legend: Callable[[pathlib.Path], None]
    ) -> dict[str, list[int]]:
        """Write the files into a folder.

        Args:
            folder: Folder on the disk of the output; created if missing.
            volume: The result.
            like: The volume it was made from, as ``save_volume`` takes it.
            write_legend: Writes the legend to a path.

        Returns:
            What ``publish`` and other processes know the files by, as ``json`` reads it back.

        Raises:
            InputError: If they cannot be written.
        """
        folder.mkdir(exist_ok=True)
        if self.legend is not None:
            write_legend(folder / self.legend.name)
        try:
            save_volume(folder / pathlib.Path(self._asked).name, volume, like=like, overwrite=True)
        except InputError as fault:
            raise InputError(str(fault).replace(f"{folder}{os.sep}", "")) from fault
        return {path.name: _mark(folder / path.name) for path in self._paths}

    def publish(self, marks: Marks, folder: pathlib.Path) -> bool:
        """Move the files that were prepared to their places, those that are not there yet; the volume comes last.

        Args:
            marks: What ``prepare`` returned.
            folder: Where it wrote.

        Returns:
            Whether they are in their places; not if one of them is in neither.

        Raises:
            InputError: If another file is in the place of one and may not be replaced.
        """
        for path in self._paths:
            if _is_marked(path, marks):
                continue
            prepared = folder / path.name
            if not _is_marked(prepared, marks):
                return False
            if path == self.path:
                move_volume(prepared, self._asked, overwrite=self._overwrite)
            else:
                move_into_place(prepared, path, overwrite=self._overwrite)
        return True

    @property
    def _paths(self) -> list[pathlib.Path]:
        return [path for path in (self.legend, self.path) if path is not None]


def _mark(path: pathlib.Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_mtime_ns]


def _is_marked(path: pathlib.Path, marks: Marks) -> bool:
    return path.exists() and _mark(path) == marks.get(path.name)


def check_format(output_path: str | os.PathLike[str], folder: pathlib.Path, volume: Volume, dtype: np.dtype) -> None:
    """Check in advance that the output's format can hold the result, by writing a tiny volume.

    Args:
        output_path: The output; its suffix chooses the format.
        folder: Where the tiny volume is written, and removed.
        volume: The input.
        dtype: Type of the result.

    Raises:
        InputError: If it cannot.
    """
    # As many slices as the result has, which the message may name; two for a folder, of which each is a file.
    is_file = bool(pathlib.Path(output_path).suffix)
    tiny = np.zeros((volume.shape[0] if is_file else min(2, volume.shape[0]), 2, 2), dtype)
    kind = Volume(array=tiny, voxel_size_nm=volume.voxel_size_nm, file_axes=volume.file_axes, format=volume.format)
    with tempfile.TemporaryDirectory(dir=folder) as trial:  # of its own: several processes may try at a time
        try:
            save_volume(pathlib.Path(trial) / pathlib.Path(output_path).name, kind)
        except InputError as fault:
            raise InputError(str(fault).replace(f"{trial}{os.sep}", "")) from fault
