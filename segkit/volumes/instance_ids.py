"""Ids of objects as a file holds them, whole numbers whatever its type."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.volumes.lazy_volume import LazyVolume, slice_stack
from segkit.volumes.volume import Volume


def instance_ids(
    volume: Volume,
    chosen: slice = slice(None),
    *,
    ignore_value: int | None = None,
    annotation: Volume | None = None,
) -> np.ndarray:
    """Read ids of objects, 0 for background.

    Args:
        volume: The volume.
        chosen: Slices to read; all by default.
        ignore_value: Value of unannotated voxels, which become 0, whatever ``volume`` holds there.
        annotation: Volume of the same shape that has the ignore value; ``volume`` itself by default.

    Returns:
        Whole numbers, not negative, ``(z, y, x)``. A file of floating-point numbers (some programs write nothing else)
        becomes int64, one of single bits uint8.

    Raises:
        InputError: If an annotated voxel has an id that is negative or not a whole number, or if ``ignore_value`` is 0.
    """
    values = np.asarray(volume.array[chosen])
    if ignore_value is not None:
        if annotation is None or annotation is volume:
            unknown = _is_unannotated(values, ignore_value, volume.name)
        else:
            unknown = unannotated(annotation, chosen, ignore_value=ignore_value)
        values = np.where(unknown, values.dtype.type(0), values)
    return _checked(values, volume.name)


def unannotated(annotation: Volume, chosen: slice = slice(None), *, ignore_value: int) -> np.ndarray:
    """Return where voxels have the value of unannotated ones.

    Args:
        annotation: Ids of objects.
        chosen: Slices to read; all by default.
        ignore_value: Value of unannotated voxels.

    Returns:
        bool, ``(z, y, x)``.

    Raises:
        InputError: If ``ignore_value`` is 0.
    """
    return _is_unannotated(np.asarray(annotation.array[chosen]), ignore_value, annotation.name)


def _is_unannotated(values: np.ndarray, ignore_value: int, name: str) -> np.ndarray:
    if ignore_value == 0:
        raise InputError(f"{name}: the ignore value is 0, which is the background; choose another value")
    return values == ignore_value


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    """Return values of a file as ids.

    Raises:
        InputError: If an id is negative or not a whole number.
    """
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)  # single numbers of fewer bits cannot be compared with 2**53
        whole = np.isfinite(values) & (np.abs(values) < 2**53)
        # NaN and infinity have no integer; as -1 they differ from their value and are refused below.
        ids = np.where(whole, values, -1).astype(np.int64)
        if not (ids == values).all():
            raise InputError(
                f"{name}: found {values[ids != values][0]:g}, expected ids of objects, which are whole numbers; "
                "give labels, not grey values or probabilities"
            )
        values = ids
    if values.dtype.kind == "i" and values.size and values.min() < 0:
        raise InputError(
            f"{name}: found the id {values.min()}, expected 0 for background and positive ids of objects; "
            "renumber them, or give an annotation's value of unannotated voxels as the ignore value"
        )
    return values


def ids_by_slice(
    volume: Volume,
    chosen: Sequence[int] | None = None,
    *,
    ignore_value: int | None = None,
    annotation: Volume | None = None,
) -> LazyVolume:
    """Return ids of objects as ``instance_ids`` reads them, one slice at a time on access.

    Args:
        volume: The volume.
        chosen: Indices of the slices that it consists of; all by default.
        ignore_value: Value of unannotated voxels, as in ``instance_ids``.
        annotation: Volume of the same shape that has the ignore value; ``volume`` itself by default.
    """
    places = range(volume.shape[0]) if chosen is None else chosen
    dtype = {"f": np.dtype(np.int64), "b": np.dtype(np.uint8)}.get(volume.dtype.kind, volume.dtype)

    def read(place: int) -> np.ndarray:
        part = slice(places[place], places[place] + 1)
        return instance_ids(volume, part, ignore_value=ignore_value, annotation=annotation)[0]

    return slice_stack(read, (len(places), *volume.shape[1:]), dtype)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdCounts:
    """How much of every slice belongs to objects.

    Attributes:
        foreground: Voxels with an id of every slice.
        ignored: Voxels of the ignore value of every slice.
    """

    foreground: tuple[int, ...]
    ignored: tuple[int, ...] = ()


def check_instance_ids(
    volume: Volume,
    *,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IdCounts:
    """Refuse a volume that does not hold ids of objects; one without any object is accepted.

    Args:
        volume: The volume, read slice by slice.
        ignore_value: Value of unannotated voxels, which have no id.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If an id is negative or not a whole number, or if ``ignore_value`` is 0.
    """
    foreground, ignored = [], []
    for z in range(volume.shape[0]):
        values = np.asarray(volume.array[z])
        if ignore_value is None:
            ignored.append(0)
        else:
            unknown = _is_unannotated(values, ignore_value, volume.name)
            ignored.append(int(np.count_nonzero(unknown)))
            values = values[~unknown]
        foreground.append(int(np.count_nonzero(_checked(values, volume.name))))
        if progress is not None:
            progress(z + 1, volume.shape[0])
    return IdCounts(foreground=tuple(foreground), ignored=tuple(ignored))
