"""Ids of objects as a file holds them, whole numbers whatever its type."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.volumes.lazy_volume import LazyVolume, slice_stack
from segkit.volumes.volume import Volume


def instance_ids(volume: Volume, chosen: slice = slice(None)) -> np.ndarray:
    """Read ids of objects, 0 for background.

    Args:
        volume: The volume.
        chosen: Slices to read; all by default.

    Returns:
        Whole numbers, not negative, ``(z, y, x)``. A file of floating-point numbers (some programs write nothing else)
        becomes int64, one of single bits uint8.

    Raises:
        InputError: If an id is negative or not a whole number.
    """
    values = np.asarray(volume.array[chosen])
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)  # single numbers of fewer bits cannot be compared with 2**53
        whole = np.isfinite(values) & (np.abs(values) < 2**53)
        # NaN and infinity have no integer; as -1 they differ from their value and are refused below.
        ids = np.where(whole, values, -1).astype(np.int64)
        if not (ids == values).all():
            raise InputError(
                f"{volume.name}: found {values[ids != values][0]:g}, expected ids of objects, which are whole numbers; "
                "give labels, not grey values or probabilities"
            )
        values = ids
    if values.dtype.kind == "i" and values.size and values.min() < 0:
        raise InputError(
            f"{volume.name}: found the id {values.min()}, expected 0 for background and positive ids of objects; "
            "renumber them"
        )
    return values


def ids_by_slice(volume: Volume, chosen: Sequence[int] | None = None) -> LazyVolume:
    """Return ids of objects as ``instance_ids`` reads them, one slice at a time on access.

    Args:
        volume: The volume.
        chosen: Indices of the slices that it consists of; all by default.
    """
    places = range(volume.shape[0]) if chosen is None else chosen
    dtype = {"f": np.dtype(np.int64), "b": np.dtype(np.uint8)}.get(volume.dtype.kind, volume.dtype)

    def read(place: int) -> np.ndarray:
        return instance_ids(volume, slice(places[place], places[place] + 1))[0]

    return slice_stack(read, (len(places), *volume.shape[1:]), dtype)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdCounts:
    """How much of every slice belongs to objects.

    Attributes:
        foreground: Voxels with an id of every slice.
    """

    foreground: tuple[int, ...]


def check_instance_ids(volume: Volume, *, progress: Callable[[int, int], None] | None = None) -> IdCounts:
    """Refuse a volume that does not hold ids of objects; one without any object is accepted.

    Args:
        volume: The volume, read slice by slice.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Raises:
        InputError: If an id is negative or not a whole number.
    """
    foreground = []
    for z in range(volume.shape[0]):
        foreground.append(int(np.count_nonzero(instance_ids(volume, slice(z, z + 1)))))
        if progress is not None:
            progress(z + 1, volume.shape[0])
    return IdCounts(foreground=tuple(foreground))
