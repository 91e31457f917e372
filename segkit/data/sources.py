"""Tomograms with their masks, opened, checked and split."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from segkit.data.splits import Split, hold_out_every, parse_slices
from segkit.data.strokes import from_strokes
from segkit.errors import InputError
from segkit.volumes.annotation_like import looks_like_annotation
from segkit.volumes.checks import check_binary_mask, check_finite, check_same_shape, no_foreground
from segkit.volumes.files import open_volume
from segkit.volumes.orientation import OrientationScore, mask_orientation
from segkit.volumes.physical_size import other_voxels
from segkit.volumes.slice_numbers import other_numbers
from segkit.volumes.volume import Volume

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where one labeled tomogram is and what its slices are for, as stored in a plan.

    Attributes:
        tomogram: Path of the tomogram.
        mask: Path of the mask, of the same shape; not zero is foreground.
        train: Slices to train on, such as ``"0-9,12"``; empty for none.
        validation: Slices that choose the checkpoint.
        test: Slices that are only scored.
        flip_y: Flip the rows of the mask: it was painted on a copy that runs the other way.
        annotated_in_part: Single slices were annotated, and the others are empty because they are unannotated.
        strokes: The mask holds strokes: 1 for background, 2 for the structure (or 1, 2, 3, ... for the classes in their
            order), 0 where nothing was painted; see ``segkit.data.strokes``.
        channel: Channel of the tomogram, from 0 on, for a file with several; ``None`` for a file with one.
        unsigned: Whether the bytes of the tomogram, an MRC file of mode 0, are unsigned, whatever its header says;
            ``None`` for what it says.
    """

    tomogram: str
    mask: str
    train: str = ""
    validation: str = ""
    test: str = ""
    flip_y: bool = False
    annotated_in_part: bool = False
    strokes: bool = False
    channel: int | None = None
    unsigned: bool | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Source:
        """Build from a plan's entry.

        Raises:
            InputError: If a name is unknown, a path is missing, or slices are not written as text.
        """
        channel = values.get("channel")
        if channel is not None and (type(channel) is not int or channel < 0):
            raise InputError(f"plan: channel under 'data' is {channel!r}; give a whole number from 0 on, or null")
        unsigned = values.get("unsigned")
        if unsigned is not None and not isinstance(unsigned, bool):
            raise InputError(f"plan: unsigned under 'data' is {unsigned!r}; give true, false or null")
        for name, value in values.items():
            if name in ("flip_y", "annotated_in_part", "strokes"):
                if not isinstance(value, bool):
                    raise InputError(f"plan: {name} under 'data' is {value!r}; give true or false")
            elif name not in ("channel", "unsigned") and not isinstance(value, str):
                raise InputError(f"plan: {name} under 'data' is {value!r}; give text, slices as \"0-9,12\"")
        try:
            return cls(**values)
        except TypeError as fault:
            raise InputError(f"plan: an entry under 'data' is wrong ({fault}); give tomogram and mask") from fault

    def split(self, count: int) -> Split:
        """Return what the slices are for.

        Args:
            count: Number of slices of the tomogram.

        Raises:
            InputError: If slices cannot be read or do not exist, or one has two uses.
        """
        return Split(**{name: parse_slices(text, count) if (text := getattr(self, name)) else () for name in _USES})

    def open_tomogram(self, *, progress: Callable[[int, int], None] | None = None) -> Volume:
        """Open the tomogram; see ``open_volume``.

        Raises:
            InputError: If it cannot be read, or has several channels and none was chosen.
        """
        return open_volume(self.tomogram, channel=self.channel, unsigned=self.unsigned, progress=progress)

    def open_mask(self, *, progress: Callable[[int, int], None] | None = None) -> Volume:
        """Open the mask, its rows and its strokes as the source says.

        Raises:
            InputError: If it cannot be read.
        """
        mask = open_volume(self.mask, flip_y=self.flip_y, progress=progress)
        return from_strokes(mask) if self.strokes else mask


@dataclasses.dataclass(frozen=True)
class LabeledVolume:
    """An opened source.

    Attributes:
        source: What it was opened from.
        tomogram: Grey values, ``(z, y, x)``.
        mask: Mask of the same shape.
        split: Slices for training, validation and test.
        warnings: What looked wrong, one line each.
        labels: What the check of the annotation has found out, such as the voxels of every class; else ``None``.
        ignore_value: Mask value of unannotated pixels.
        orientation: How well the mask fits the tomogram, where that was measured.
    """

    source: Source
    tomogram: Volume
    mask: Volume
    split: Split
    warnings: tuple[str, ...] = ()
    labels: Any = None
    ignore_value: int | None = None
    orientation: OrientationScore | None = None

    @property
    def arrays(self) -> tuple[Any, Any]:
        """Image and mask array, as ``PatchSampler`` takes them."""
        return self.tomogram.array, self.mask.array


def open_source(
    source: Source,
    *,
    ignore_value: int | None = None,
    check: Callable[..., Any] = check_binary_mask,
    progress: Callable[[int, int], None] | None = None,
    tell: bool = True,
) -> LabeledVolume:
    """Open a source, check that it can be learnt from, and warn about what looks wrong.

    What the files themselves leave unsaid (an unknown voxel size, say), what ``pair_warnings`` returns, and a mask that
    fits its tomogram clearly better in another orientation are logged as warnings; nothing is flipped without being
    asked.

    Args:
        source: Paths and slices.
        ignore_value: Mask value of unannotated pixels.
        check: Called as ``check(mask, ignore_value=..., progress=...)`` with the opened annotation, to refuse what
            nothing can be learnt from; ``Task.check_annotation`` of a task. By default the mask must be binary.
        progress: Called as ``progress(done, total)`` while files are unpacked and read.
        tell: Log the warnings; otherwise they are only kept.

    Raises:
        InputError: If a file cannot be read, the shapes differ, a voxel is not finite, or the check refuses the mask.
    """
    tomogram = source.open_tomogram(progress=progress)
    mask = source.open_mask(progress=progress)
    check_same_shape(mask, tomogram)
    check_finite(tomogram, progress=progress)
    labels = check(mask, ignore_value=ignore_value, progress=progress)
    split = source.split(tomogram.shape[0])
    warnings = [f"{volume.name}: {warning}" for volume in (tomogram, mask) for warning in volume.warnings]
    warnings += pair_warnings(tomogram, mask)
    if ignore_value is not None and not any(getattr(labels, "ignored", (True,))):
        warnings.append(f"{mask.name}: no voxel has the ignore value {ignore_value}")
    # Strokes say too little of where the structure is.
    orientation = None if source.strokes else mask_orientation(tomogram, mask, is_flipped=source.flip_y)
    if orientation is not None and orientation.warning:
        warnings.append(f"{mask.name}: {orientation.warning}")
    for warning in warnings if tell else ():
        _LOG.warning("warning: %s", warning)
    return LabeledVolume(source, tomogram, mask, split, tuple(warnings), labels, ignore_value, orientation)


def pair_warnings(image: Volume, annotation: Volume) -> list[str]:
    """Return a line for what makes doubtful that two volumes of one shape are an image and its annotation.

    Args:
        image: Grey values. They look like an annotation where areas of it are of one whole number each.
        annotation: What is learnt. Its voxels may differ in size from those of the image, and the slices of a folder in
            their numbers.
    """
    lines = []
    if looks_like_annotation(image):
        lines.append(
            f"{image.name}: looks like a mask or labels and not like an image, as neighbouring voxels are equal; check "
            "that it is the right file"
        )
    if differ := other_voxels(annotation, image, "its image"):
        lines.append(f"{annotation.name}: {differ}; if both are of one volume, correct the size that is wrong")
    if differ := other_numbers(annotation, image, "its image"):
        lines.append(f"{annotation.name}: {differ}")
    return lines


_USES = ("train", "validation", "test")


def shared_warnings(volumes: Sequence[LabeledVolume]) -> list[str]:
    """Return the warnings of opened sources; one that several files share stands once, under the first of them."""
    files: dict[str, list[str]] = {}
    for volume in volumes:
        for warning in volume.warnings:
            # Warnings begin with the path of the file that they are about.
            (name, *_) = (n for n in (volume.tomogram.name, volume.mask.name) if warning.startswith(f"{n}: "))
            files.setdefault(warning.removeprefix(f"{name}: "), []).append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {warning}"
        for warning, names in ((warning, list(dict.fromkeys(names))) for warning, names in files.items())
    ]


def check_any_foreground(volumes: Sequence[LabeledVolume]) -> None:
    """Refuse volumes of which none has foreground; some may be empty beside others.

    Raises:
        InputError: If there is none, and the annotations were counted.
    """
    counted = [volume for volume in volumes if hasattr(volume.labels, "foreground")]
    if counted and not any(sum(volume.labels.foreground) for volume in counted):
        raise InputError(no_foreground(counted[0].mask, strokes=counted[0].source.strokes))


def split_by_hold_out(sources: Sequence[Source], slices: Sequence[Sequence[int]], step: int) -> list[Source]:
    """Return the sources with every ``step``-th slice held out for validation.

    Args:
        sources: Sources without slices.
        slices: The slices of each that are annotated.
        step: Distance between held-out slices, counted in annotated ones.
    """
    split = [hold_out_every(len(annotated), step) for annotated in slices]
    return [
        dataclasses.replace(
            source,
            train=write_slices([annotated[i] for i in part.train]),
            validation=write_slices([annotated[i] for i in part.validation]),
        )
        for source, part, annotated in zip(sources, split, slices, strict=True)
    ]


def painted_slices(
    path: str, *, ignore_value: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[int]:
    """Return the slices of an annotation on which something is painted.

    Args:
        path: Mask, labels of classes, or ids.
        ignore_value: Value of unannotated pixels, which count as unpainted, too.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If the file cannot be read, or nothing is painted.
    """
    mask, found = open_volume(path), []
    for z in range(mask.shape[0]):
        values = np.asarray(mask.array[z])
        is_painted = values != 0 if ignore_value is None else (values != 0) & (values != ignore_value)
        if is_painted.any():
            found.append(z)
        if progress is not None:
            progress(z + 1, mask.shape[0])
    if not found:
        raise InputError(no_foreground(mask))
    return found


def write_slices(indices: Sequence[int]) -> str:
    """Return indices as ``parse_slices`` reads them.

    Example:
        >>> write_slices([0, 1, 2, 5])
        '0-2,5'
    """
    runs: list[list[int]] = []
    for z in indices:
        if runs and z == runs[-1][1] + 1:
            runs[-1][1] = z
        else:
            runs.append([z, z])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
