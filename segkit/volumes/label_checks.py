"""Checks of a label volume before training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.volumes.checks import check_axes
from segkit.volumes.volume import Volume

MAX_CLASSES = 255
"""One byte holds a class, and one value is reserved for unannotated voxels."""

_SHOWN = 8
_MASK_VALUE = 255  # what image programs write for foreground


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """What a label volume holds.

    Attributes:
        num_classes: Number of classes, background (0) among them.
        voxels: Voxels of every class in every slice, int64, shape ``(slices, num_classes)``.
        ignored: Voxels of the ignore value of every slice.
    """

    num_classes: int
    voxels: np.ndarray
    ignored: tuple[int, ...] = ()

    @property
    def foreground(self) -> tuple[int, ...]:
        """Voxels of all classes but 0 of every slice."""
        return tuple(self.voxels[:, 1:].sum(axis=1).tolist())

    def missing(self, slices: Sequence[int]) -> list[int]:
        """Return the classes that none of the slices holds."""
        return np.flatnonzero(self.voxels[list(slices)].sum(axis=0) == 0).tolist()


def check_labels(
    labels: Volume,
    *,
    num_classes: int | None = None,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LabelCounts:
    """Refuse a label volume that does not hold the classes 0, 1, ..., ``num_classes - 1``.

    Args:
        labels: The volume, read slice by slice.
        num_classes: Number of classes; by default as many as the largest label asks for, and then all must occur.
        ignore_value: Value of unannotated voxels.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Returns:
        The classes and how many voxels each has in every slice.

    Raises:
        InputError: If a value is negative, not a whole number or above the last class, or, where ``num_classes`` is not
            given, if there is a gap between the labels or one class only. If the volume has other axes than (z, y, x).
    """
    check_axes(labels)
    most = MAX_CLASSES if num_classes is None else num_classes
    if not 2 <= most <= MAX_CLASSES:
        raise InputError(f"{labels.name}: {most} classes asked for, expected 2 to {MAX_CLASSES}")
    counts, ignored = [], []
    for z in range(labels.shape[0]):
        every = np.ravel(np.asarray(labels.array[z]))
        values = every if ignore_value is None else every[every != ignore_value]
        ignored.append(every.size - values.size)
        counts.append(_count(labels, z, values, most, ignore_value, is_given=num_classes is not None))
        if progress is not None:
            progress(z + 1, labels.shape[0])
    voxels = np.stack(counts)  # (slices, classes)
    if num_classes is None:
        found = np.flatnonzero(voxels.sum(axis=0))
        if not found.any():
            what = "labelled voxel is 0" if len(found) else f"voxel has the ignore value {ignore_value}"
            raise InputError(
                f"{labels.name}: found nothing painted (every {what}), expected the labels 0, 1, 2, ...; give the "
                "labels of these images"
            )
        if len(found) < 2 or found[-1] != len(found) - 1:
            raise InputError(
                f"{labels.name}: found the labels {_listed(found)}, expected 0, 1, 2, ... without a gap; renumber them"
            )
        voxels = voxels[:, : len(found)]
    return LabelCounts(num_classes=voxels.shape[1], voxels=voxels, ignored=tuple(ignored))


def _count(
    labels: Volume, z: int, values: np.ndarray, most: int, ignore_value: int | None, *, is_given: bool
) -> np.ndarray:
    whole = values.astype(np.int64) if values.dtype.kind in "biu" or np.isfinite(values).all() else None
    if whole is None or (whole != values).any() or (values.size and not 0 <= whole.min() <= whole.max() < most):
        outside = values if whole is None else values[(whole != values) | (whole < 0) | (whole >= most)]
        expected = f"whole numbers from 0 to {most - 1}"
        remedy = "give more classes, or renumber them" if is_given else "give class labels, not grey values"
        if (outside == _MASK_VALUE).all() and _is_mask(labels, ignore_value):
            remedy = f"these are 0 and {_MASK_VALUE}, as in a mask: renumber {_MASK_VALUE} to 1"
        raise InputError(
            f"{labels.name}: found {_listed(np.unique(outside))} in slice {z}, expected {expected}; {remedy}, or "
            "give the value of unannotated voxels as the ignore value"
        )
    return np.bincount(whole, minlength=most)


def _is_mask(labels: Volume, ignore_value: int | None) -> bool:
    """Return whether a volume holds nothing but 0 and 255, as image programs write masks."""
    known = [0, _MASK_VALUE, *([] if ignore_value is None else [ignore_value])]
    slices = (np.asarray(labels.array[z]) for z in range(labels.shape[0]))
    return all(np.isin(values, known).all() for values in slices)


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:_SHOWN])
    return shown + (", ..." if len(values) > _SHOWN else "")
