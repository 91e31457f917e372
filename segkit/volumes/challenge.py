"""The Cell Tracking Challenge's folders: images, references and results of a sequence."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re

import numpy as np

from segkit.errors import InputError
from segkit.volumes.instance_ids import ids_by_slice
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.tiff_output import write_tiff
from segkit.volumes.volume import Volume
from segkit.volumes.voxel_statistics import voxel_statistics

MAX_CELLS = 65_535
"""Results are stored in 16 bits."""

_IMAGE, _RESULT = re.compile(r"t(\d+)\.tif"), re.compile(r"mask(\d+)\.tif")
_TRACKING = re.compile(r"man_track(\d+)\.tif")
_SEGMENTATION = re.compile(r"man_seg_?(\d+)(?:_(\d+))?\.tif")


@dataclasses.dataclass(frozen=True, order=True)
class Annotation:
    """A reference of segmentation.

    Attributes:
        frame: Number of the frame.
        z: The slice it annotates, ``None`` where it annotates the whole frame.
        path: Its file.
    """

    frame: int
    z: int | None
    path: pathlib.Path


def image_files(folder: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
    """Return the images of a sequence, ``01/t000.tif`` and so on, by their frames.

    Raises:
        InputError: If there is no such folder, no image in it, or one is missing between the first and the last.
    """
    return _whole_sequence(folder, _IMAGE, "images t000.tif, t001.tif, ...", "image")


def is_sequence(folder: pathlib.Path) -> bool:
    """Return whether a folder holds the images of a sequence: it is named ``NN``, and annotations lie beside it."""
    beside = (folder.with_name(f"{folder.name}_{reference}") for reference in ("GT", "ST"))
    return re.fullmatch(r"\d\d", folder.name) is not None and any(map(pathlib.Path.is_dir, beside))


def check_sequence(folder: pathlib.Path, sequence: str, reference: str) -> None:
    """Refuse a sequence that a data set does not have.

    Args:
        folder: Folder of the data set.
        sequence: Name of the sequence.
        reference: ``"GT"`` or ``"ST"``, for the message.

    Raises:
        InputError: If there is no such data set, or no such sequence in it; one of the same number is suggested.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a data set of the challenge")
    if (folder / sequence).is_dir():
        return
    known = sorted(path.name for path in folder.iterdir() if path.is_dir() and is_sequence(path))
    meant = f"{int(sequence):02d}" if sequence.isascii() and sequence.isdecimal() else None
    if meant in known:
        remedy = f"did you mean {meant}?"
    elif known:
        remedy = f"give one of its sequences, {', '.join(known)}"
    else:
        remedy = f"give the folder of the data set, which holds {sequence} and {sequence}_{reference}"
    raise InputError(f"{folder}: no folder {sequence} in it; {remedy}")


def result_files(folder: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
    """Return the results of a sequence, ``01_RES/mask000.tif`` and so on, by their frames.

    Raises:
        InputError: If there is no such folder, no result in it, or one is missing between the first and the last.
    """
    return _whole_sequence(folder, _RESULT, "results mask000.tif, mask001.tif, ...", "result")


def tracking_files(reference: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
    """Return the markers of a reference, ``01_GT/TRA/man_track000.tif`` and so on; empty where there are none.

    Raises:
        InputError: If there is no such folder.
    """
    folder = _existing(reference) / "TRA"
    return {frame: path for (frame,), path in _numbered(folder, _TRACKING)} if folder.is_dir() else {}


def segmentation_files(reference: str | os.PathLike[str]) -> list[Annotation]:
    """Return the annotations of a reference in order.

    Args:
        reference: ``01_GT`` (made by people) or ``01_ST`` (by programs that agreed). ``SEG/man_seg000.tif`` is a whole
            frame, ``SEG/man_seg_000_005.tif`` slice 5 of frame 0.

    Raises:
        InputError: If there is no such folder, or no annotation below ``SEG``.
    """
    folder = _existing(reference) / "SEG"
    if not folder.is_dir():
        raise InputError(f"{reference}: no folder SEG in it; give a folder such as 01_GT or 01_ST of the challenge")
    found = [Annotation(*numbers, path) for numbers, path in _numbered(folder, _SEGMENTATION)]
    if not found:
        raise InputError(f"{folder}: no annotation (man_seg000.tif or man_seg_000_005.tif) in it")
    # `None` cannot be ordered: annotations of whole frames come before those of slices.
    return sorted(found, key=lambda entry: (entry.frame, -1 if entry.z is None else entry.z))


def write_result(
    folder: str | os.PathLike[str], frame: int, labels: Volume, *, num_digits: int = 3, overwrite: bool = False
) -> pathlib.Path:
    """Write the cells of a frame as the challenge wants them, ``mask000.tif`` in 16 bits.

    Args:
        folder: Such as ``01_RES``; made if it is not there.
        frame: Number of the frame, as in the name of its image.
        labels: Ids of the cells, 0 is background.
        num_digits: Digits of the number in the name, as many as the images have.
        overwrite: Replace an existing result.

    Returns:
        The file.

    Raises:
        InputError: If an id is above 65,535, below 0 or not a whole number, or the file cannot be written.
    """
    path = pathlib.Path(folder) / f"mask{frame:0{num_digits}d}.tif"
    _write_16_bits(path, labels, overwrite=overwrite)
    return path


def write_frame(
    folder: str | os.PathLike[str],
    frame: int,
    image: Volume,
    labels: Volume,
    *,
    sequence: str = "01",
    overwrite: bool = False,
) -> None:
    """Write an image and its cells as a frame of a sequence with reference.

    Args:
        folder: Folder of the data set; ``01``, ``01_GT/SEG`` and ``01_GT/TRA`` are made in it.
        frame: Number of the frame.
        image: Grey values.
        labels: Ids of the cells, which are used as their markers too.
        sequence: Name of the sequence.
        overwrite: Replace existing files.

    Raises:
        InputError: If an id does not fit into 16 bits, or a file cannot be written.
    """
    folder = pathlib.Path(folder)
    image_path = folder / sequence / f"t{frame:03d}.tif"
    image_path.parent.mkdir(parents=True, exist_ok=True)
    # Before the image: ids that do not fit are refused while nothing is written yet.
    for name in ("SEG/man_seg", "TRA/man_track"):
        _write_16_bits(folder / f"{sequence}_GT" / f"{name}{frame:03d}.tif", labels, overwrite=overwrite)
    write_tiff(image_path, image, kind="tiff", overwrite=overwrite)


def _write_16_bits(path: pathlib.Path, labels: Volume, *, overwrite: bool) -> None:
    found = voxel_statistics(labels.array)
    if found.minimum < 0 or found.maximum > MAX_CELLS:
        wrong = int(found.minimum if found.minimum < 0 else found.maximum)
        raise InputError(
            f"{path}: cell {wrong}, but the challenge's files hold ids from 1 to {MAX_CELLS} (16 bits); "
            "renumber the cells, or write another format"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = ids_by_slice(labels)
    array = slice_stack(lambda z: ids[z].astype(np.uint16), labels.shape, np.dtype(np.uint16))
    write_tiff(path, dataclasses.replace(labels, array=array, file_axes="zyx"), kind="tiff", overwrite=overwrite)


def _whole_sequence(
    folder: str | os.PathLike[str], pattern: re.Pattern[str], expected: str, word: str
) -> dict[int, pathlib.Path]:
    found = {frame: path for (frame,), path in _numbered(_existing(folder), pattern)}
    if not found:
        raise InputError(f"{folder}: no {expected} in it; give the folder of one sequence of the challenge")
    missing = sorted(set(range(min(found), max(found) + 1)) - set(found))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{folder}: the {word} of frame {missing[0]}{more} is missing, but there is one of frame {max(found)}; "
            "frames have no gaps: copy what is missing, or remove what does not belong there"
        )
    return found


def _existing(folder: str | os.PathLike[str]) -> pathlib.Path:
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give one of the challenge, such as 01, 01_GT or 01_RES")
    return folder


def _numbered(folder: pathlib.Path, pattern: re.Pattern[str]) -> list[tuple[tuple[int | None, ...], pathlib.Path]]:
    matches = [(pattern.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    return [
        (tuple(None if number is None else int(number) for number in match.groups()), path)
        for match, path in matches
        if match
    ]
