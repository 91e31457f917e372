"""Checks of a tomogram and its mask before training."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterable

import numpy as np

from segkit.errors import InputError
from segkit.volumes.annotation_like import looks_like_image
from segkit.volumes.volume import Volume

_SHOWN_VALUES = 6
_STROKES = "; where 1 and 2 are strokes on background and on the structure, give --annotation strokes"
_INVERTED_SHARE, _INVERTED_BORDER = 0.75, 0.5  # foreground of all voxels, and of those at the borders of slices
_LONGEST_AXIS = 2**24  # as in MRC headers; larger numbers are damage, not volumes
_DEFLATE_RATIO = 1032  # what deflate can gain at most: 258 bytes from two bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskCounts:
    """What a binary mask holds.

    Args:
        foreground_value: The value of its foreground, whatever the file uses (1, 255, -1); ``None`` without any.
        foreground: Foreground voxels of every slice.
        background: Background voxels of every slice.
        ignored: Voxels of the ignore value of every slice.
        border_share: Share of foreground in the annotated voxels of the first and last rows and columns.
    """

    foreground_value: float | None
    foreground: tuple[int, ...]
    background: tuple[int, ...]
    ignored: tuple[int, ...]
    border_share: float = 0.0

    @property
    def background_per_foreground(self) -> float:
        """Background voxels for every foreground voxel."""
        return sum(self.background) / sum(self.foreground)

    @property
    def warning(self) -> str | None:
        """One line where the mask looks inverted, else ``None``.

        That is where more than three quarters of the annotated voxels are foreground, and more than half of those at
        the borders of slices: structures fill less, and a large object in the middle leaves the borders free.
        """
        share = sum(self.foreground) / max(sum(self.foreground) + sum(self.background), 1)
        if share <= _INVERTED_SHARE or self.border_share <= _INVERTED_BORDER:
            return None
        return (
            f"{100 * share:.0f} % of the mask is foreground; is it inverted? 0 is background, any other value the "
            "structure; if so, write it again the other way round"
        )


def check_axes(volume: Volume, axes: str = "zyx") -> None:
    """Refuse a volume with other axes than those that something works on.

    Args:
        volume: The volume.
        axes: Names of the axes, in their order, as in ``Volume.axes``.

    Raises:
        InputError: If the volume has other axes, or another order of them.
    """
    if volume.axes == axes:
        return
    unknown = [axis for axis in volume.axes if axis not in axes]
    remedy = f"give one index along {' and '.join(unknown)}" if unknown else "transpose the array"
    raise InputError(
        f"{volume.name}: found the axes ({', '.join(volume.axes)}), expected ({', '.join(axes)}); {remedy}"
    )


def check_extent(name: str, shape: Iterable[int]) -> None:
    """Refuse a shape that no volume has, which damaged headers hold.

    Args:
        name: What messages call the volume.
        shape: Extent along every axis, in any order.

    Raises:
        InputError: If an axis is of more than 2^24 voxels.
    """
    shape = tuple(shape)
    if max(shape) > _LONGEST_AXIS:
        raise InputError(
            f"{name}: found the shape {shape}, expected at most {_LONGEST_AXIS:,} along every axis; it may be damaged: "
            "copy it again"
        )


def check_deflated(name: str, stored_bytes: int, expected_bytes: int) -> None:
    """Refuse an image of which deflate cannot have stored so much in so few bytes.

    A header that promises too much would cost its memory before it is found out.

    Args:
        name: What messages call the file.
        stored_bytes: Size of the compressed data [byte].
        expected_bytes: Size of the image [byte].

    Raises:
        InputError: If the image is larger than the data can unpack to.
    """
    if expected_bytes > _DEFLATE_RATIO * (stored_bytes + 1):
        raise InputError(
            f"{name}: damaged: {stored_bytes:,} compressed bytes cannot hold an image of {expected_bytes:,} bytes; "
            "copy it again"
        )


def check_finite(volume: Volume, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Refuse a volume with NaN or infinite voxels; integers are not checked.

    Args:
        volume: The volume, read slice by slice.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If a voxel is NaN or infinite.
    """
    if volume.dtype.kind != "f":
        return
    num_nan = num_infinite = 0
    first = None
    for z in range(volume.shape[0]):
        values = np.asarray(volume.array[z])
        finite = np.isfinite(values)
        if not finite.all():
            first = z if first is None else first
            nan = int(np.isnan(values).sum())
            # What is not finite and not NaN is infinite.
            num_nan, num_infinite = num_nan + nan, num_infinite + int((~finite).sum()) - nan
        if progress is not None:
            progress(z + 1, volume.shape[0])
    if first is not None:
        raise InputError(
            f"{volume.name}: found {num_nan:,} NaN and {num_infinite:,} infinite voxels, the first in slice "
            f"{first}, expected finite values; replace them by the mean of the tomogram"
        )


def check_finite_part(
    volume: Volume, part: np.ndarray, z: int, *, remedy: str = "replace them by the mean of the tomogram"
) -> None:
    """Refuse a slice, or a part of it, with NaN or infinite voxels, where a volume is checked while it is read.

    Args:
        volume: The volume.
        part: Voxels of it.
        z: Index of the slice.
        remedy: What to do about them.

    Raises:
        InputError: If a voxel is NaN or infinite.
    """
    if part.dtype.kind == "f" and not (finite := np.isfinite(part)).all():
        raise InputError(
            f"{volume.name}: found {part.size - np.count_nonzero(finite):,} NaN or infinite voxels in slice {z}, "
            f"expected finite values; {remedy}"
        )


def check_grey(volume: Volume) -> None:
    """Refuse a volume that holds no grey values.

    Raises:
        InputError: If it has no voxels, or they are true or false, complex, or no numbers.
    """
    if 0 in volume.shape:
        raise InputError(f"{volume.name}: found no voxels ({_extent(volume)}), expected grey values")
    if volume.dtype.kind not in "iuf":
        what, remedy = "voxels", "convert them to numbers"
        if volume.dtype.kind == "b":
            what, remedy = "true and false", "give the image, not a mask"
        elif volume.dtype.kind == "c":
            what, remedy = "complex numbers", "give their magnitude, such as np.abs(array)"
        raise InputError(f"{volume.name}: found {what} ({volume.dtype}), expected grey values; {remedy}")


def check_same_shape(mask: Volume, tomogram: Volume) -> None:
    """Refuse an annotation that is not of the shape of its volume.

    Raises:
        InputError: If the shapes differ, or one of them has other axes than (z, y, x).
    """
    for volume in (tomogram, mask):
        check_axes(volume)
    if mask.shape != tomogram.shape:
        raise InputError(
            f"{mask.name}: found {_extent(mask)} voxels (z, y, x), expected {_extent(tomogram)} as in "
            f"{tomogram.name}; give the annotation that was made on this volume"
        )


def check_annotation_file(annotation: Volume, image: Volume) -> None:
    """Refuse an annotation that is not of the shape of its image, or is the same file.

    Raises:
        InputError: If one of this is so, or a volume has other axes than (z, y, x).
    """
    check_same_shape(annotation, image)
    places = [(str(v.source and os.path.realpath(v.source)), v.metadata.get("dataset")) for v in (annotation, image)]
    if annotation.source is not None and places[0] == places[1]:
        raise InputError(
            f"{annotation.name}: given as image and as its annotation too; give the annotation that was made on it"
        )


def check_not_image(labels: Volume) -> None:
    """Refuse grey values in the place of classes or ids, as where images and labels were exchanged.

    Raises:
        InputError: If many neighbouring voxels differ.
    """
    if looks_like_image(labels):
        raise InputError(
            f"{labels.name}: many neighbouring voxels differ, expected areas of one label each; are these grey values, "
            "or were images and labels swapped?"
        )


def check_comparable(prediction: Volume, reference: Volume) -> None:
    """Refuse a prediction that is not of the shape of its reference.

    Raises:
        InputError: If the shapes differ, or one of them has other axes than (z, y, x).
    """
    for volume in (prediction, reference):
        check_axes(volume)
    if prediction.shape != reference.shape:
        raise InputError(
            f"{prediction.name}: {_extent(prediction)} voxels (z, y, x), the reference {reference.name} has "
            f"{_extent(reference)}; score a prediction of the same volume"
        )


def check_binary_mask(
    mask: Volume,
    *,
    ignore_value: float | None = None,
    may_be_empty: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MaskCounts:
    """Refuse a mask that does not consist of zeros and one other value.

    Args:
        mask: The mask, read slice by slice. Its foreground may have any value but 0, such as 1 or 255.
        ignore_value: Value of unlabeled voxels; they count as neither.
        may_be_empty: Accept a mask without foreground: the structure may not occur in this volume.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Returns:
        The value of the foreground, and how many voxels of each kind every slice has.

    Raises:
        InputError: If the mask has other values, no foreground or no background, or if ``ignore_value`` is 0.
    """
    if ignore_value == 0:
        raise InputError(f"{mask.name}: the ignore value is 0, which is the background; choose another value")
    value: float | None = None
    foreground, background, ignored = [], [], []
    border = np.zeros(2, np.int64)  # foreground and background
    for z in range(mask.shape[0]):
        values = np.asarray(mask.array[z])
        is_background = values == 0
        is_ignored = np.zeros_like(is_background) if ignore_value is None else values == ignore_value
        labeled = values[~(is_background | is_ignored)]
        if labeled.size:
            value = labeled[0].item() if value is None else value
            if not (labeled == value).all():
                seen = {value, *np.unique(labeled).tolist(), *([0] if any(background) or is_background.any() else [])}
                # Strokes that were given as such come with an ignore value, that of what is not painted.
                raise InputError(_not_binary(mask, seen, z, may_be_strokes=ignore_value is None))
        foreground.append(int(labeled.size))
        background.append(int(is_background.sum()))
        ignored.append(int(is_ignored.sum()))
        border += [np.count_nonzero(_border(kind)) for kind in (~(is_background | is_ignored), is_background)]
        if progress is not None:
            progress(z + 1, mask.shape[0])
    if value is None and not may_be_empty:
        raise InputError(no_foreground(mask))
    if not any(background):
        raise InputError(
            f"{mask.name}: found no background (every labelled voxel is {value or 0:g}), expected zeros around the "
            "structure; give a mask, not the tomogram"
        )
    return MaskCounts(
        foreground_value=value,
        foreground=tuple(foreground),
        background=tuple(background),
        ignored=tuple(ignored),
        border_share=float(border[0] / max(border.sum(), 1)),
    )


def _border(image: np.ndarray) -> np.ndarray:
    """Return the first and last rows and columns; corners are there twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def no_foreground(mask: Volume, *, strokes: bool = False) -> str:
    """Return the message about a mask, or strokes, that are empty where they must not be."""
    if strokes:
        return (
            f"{mask.name}: found strokes of background (1) alone, expected some of the structure (2) as well; paint 1 "
            "on background and 2 on the structure"
        )
    return (
        f"{mask.name}: found no foreground (every labelled voxel is 0), expected some; give the mask of this structure"
    )


def _extent(volume: Volume) -> str:
    return " x ".join(map(str, volume.shape))


def _not_binary(mask: Volume, found: Iterable[float], z: int, *, may_be_strokes: bool) -> str:
    # NaN, which does not equal itself and cannot be ordered, comes last.
    values = sorted(found, key=lambda value: (value != value, value))
    shown = ", ".join(f"{value:g}" for value in values[:_SHOWN_VALUES])
    more = ", ..." if len(values) > _SHOWN_VALUES else ""
    if len(values) == 2 and all(value > 0 and float(value).is_integer() for value in values):
        # Classes counted from 1, as in ilastik's Simple Segmentation.
        source, dataset = str(mask.source or mask.name), mask.metadata.get("dataset")
        given = shlex.quote(source if dataset is None else f"{source}:{dataset}")
        return (
            f"{mask.name}: found the values {shown} up to slice {z}, none of them 0, expected 0 and one other value; "
            f"if {values[1]:g} is the structure, make a mask of it: segkit components --input {given} --label "
            f"{values[1]:g} --mask --output mask.tif"
        )
    return (
        f"{mask.name}: found the values {shown}{more} up to slice {z}, expected 0 and one other value; "
        "give the mask of one structure (not the tomogram, nor labels of several structures), or give the value of "
        f"unannotated voxels as the ignore value{_STROKES if may_be_strokes and values == [0, 1, 2] else ''}"
    )
