"""Stacks with the labels of their objects, from files or folders."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from segkit.data.sources import painted_slices
from segkit.errors import InputError
from segkit.progress import ProgressLine
from segkit.volumes.checks import check_annotation_file, check_not_image
from segkit.volumes.compressed import COMPRESSED_SUFFIXES
from segkit.volumes.files import open_volume
from segkit.volumes.hdf5 import HDF5_SUFFIXES, split_dataset
from segkit.volumes.mrc import MRC_SUFFIXES
from segkit.volumes.png import PNG_SUFFIXES
from segkit.volumes.tiff import TIFF_SUFFIXES

_SUFFIXES = {*COMPRESSED_SUFFIXES, *TIFF_SUFFIXES, *MRC_SUFFIXES, *HDF5_SUFFIXES, *PNG_SUFFIXES, ".ome"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabeledStack:
    """A stack with the labels of its cells.

    Attributes:
        image: Path of the stack.
        labels: Path of the ids, same shape.
        count: Number of slices.
        annotated: Indices of the slices whose cells are all drawn.
        parts: Files of the annotated slices that ``labels`` is still to be made of, by their indices; empty where it is
            there.
    """

    image: str
    labels: str
    count: int
    annotated: tuple[int, ...]
    parts: Mapping[int, pathlib.Path] = dataclasses.field(default_factory=dict)


def paired_stacks(images: str, labels: str, *, channel: int | None = None) -> list[LabeledStack]:
    """Return the stacks of a file or folder with their labels.

    Args:
        images: A stack, or a folder of them.
        labels: Its labels, or a folder with a file of the same name for each.
        channel: Channel of the stacks, from 0 on, for files with several.

    Raises:
        InputError: If there is none, or labels are missing or of another number of slices.
    """
    for path in (images, labels):
        if not pathlib.Path(split_dataset(path)[0]).exists():
            raise InputError(f"{path}: no such file or folder; give a stack, or a folder of stacks")
    folders = [pathlib.Path(path).is_dir() for path in (images, labels)]
    if folders[0] != folders[1]:
        raise InputError(f"{images} and {labels}: one is a folder and one is not; give two stacks, or two folders")
    if not folders[0]:
        return [open_stack(images, labels, channel=channel)]
    files = _files(pathlib.Path(images))
    if not files:
        raise InputError(f"{images}: no file in it; give a folder of stacks")
    by_stem: dict[str, pathlib.Path] = {}
    for path in _files(pathlib.Path(labels)):
        if (other := by_stem.setdefault(_stem(path), path)) != path:
            raise InputError(f"{labels}: {other.name} and {path.name} have the same name; remove one of them")
    if missing := [path.name for path in files if _stem(path) not in by_stem]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{labels}: no labels named as {missing[0]}{more}; give each stack's labels its name")
    return [open_stack(str(path), str(by_stem[_stem(path)]), channel=channel) for path in files]


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _stem(path: pathlib.Path) -> str:
    # Suffixes may follow each other: `.ome.tif`, `.mrc.gz`.
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def open_stack(image: str, labels: str, *, channel: int | None = None) -> LabeledStack:
    """Return a stack whose slices are all annotated.

    Raises:
        InputError: If a file cannot be read, or the labels have another shape, are the stack itself, or an image.
    """
    stack, ids = (
        open_volume(path, channel=wanted, progress=ProgressLine(f"opening {pathlib.Path(path).name}", "bytes"))
        for path, wanted in ((image, channel), (labels, None))
    )
    check_annotation_file(ids, stack)
    check_not_image(ids)
    count = stack.shape[0]
    return LabeledStack(image=image, labels=labels, count=count, annotated=tuple(range(count)))


def painted_only(stack: LabeledStack, ignore_value: int | None = None) -> LabeledStack:
    """Return a stack of which only the slices with a cell are annotated.

    Args:
        stack: The stack.
        ignore_value: Value of unannotated pixels, which are no cell.

    Raises:
        InputError: If the labels cannot be read, or there is no cell.
    """
    progress = ProgressLine(f"looking for painted slices of {pathlib.Path(stack.labels).name}", "slices")
    painted = painted_slices(stack.labels, ignore_value=ignore_value, progress=progress)
    return dataclasses.replace(stack, annotated=tuple(painted))
