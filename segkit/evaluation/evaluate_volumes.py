"""Scores of a predicted volume against a reference, per slice and in total."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.volumes.checks import check_comparable, check_finite_part
from segkit.volumes.volume import Volume

_COLUMNS = (
    ("mean_iou", "mIoU"),
    ("foreground_iou", "fg IoU"),
    ("dice", "Dice"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("pixel_accuracy", "accuracy"),
)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Confusion counts of the scored slices.

    Attributes:
        slices: Index and counts of each slice.
    """

    slices: tuple[tuple[int, Confusion], ...]

    def __add__(self, other: Evaluation) -> Evaluation:
        """Return the slices of both as one evaluation."""
        return Evaluation(self.slices + other.slices)

    @property
    def total(self) -> Confusion:
        """Counts over all scored slices."""
        return sum((confusion for _, confusion in self.slices), Confusion())

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"total": {...}, "slices": [{"z": ..., ...}, ...]}`` with scores and counts, for ``json``."""
        return {
            "total": _entry(self.total),
            "slices": [{"z": z, **_entry(confusion)} for z, confusion in self.slices],
        }

    def to_table(self) -> str:
        """Return a plain-text table, one line per slice and one in total; ``-`` where a score is 0 / 0."""
        lines = ["slice " + "".join(f"{title:>11}" for _, title in _COLUMNS)]
        for name, confusion in [*((str(z), counts) for z, counts in self.slices), ("all", self.total)]:
            scores = binary_scores(confusion)
            cells = (scores[key] for key, _ in _COLUMNS)
            lines.append(f"{name:<6}" + "".join(f"{'-' if cell is None else f'{cell:.4f}':>11}" for cell in cells))
        return "\n".join(lines)


def evaluate_volumes(
    prediction: Volume,
    reference: Volume,
    *,
    slices: Sequence[int] | None = None,
    label: int | None = None,
    reference_label: int | None = None,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a mask against a reference mask, one slice in memory at a time.

    Either may be a label volume, of which one label is foreground; a mask has one value besides 0.

    Args:
        prediction: Mask or label volume.
        reference: Mask or label volume of the same shape.
        slices: Indices of the slices to score; all by default.
        label: Value of the prediction that is foreground; by default the one that is not 0.
        reference_label: The same of the reference.
        ignore_value: Value of unannotated reference voxels; they do not count.
        progress: Called as ``progress(done, total)`` after each slice.

    Raises:
        InputError: If the shapes differ, a slice is outside of them or named twice, a volume has several labels and
            none was chosen, or a voxel is no label (a probability, or NaN).
        ValueError: If ``slices`` are not indices.
    """
    check_comparable(prediction, reference)
    chosen = chosen_slices(slices, reference.shape[0])
    predicted = _Foreground(prediction, label, "--label", "predict without --probability, or score it with --sweep")
    ask = "--reference-label, or give the value of unannotated voxels with --ignore-value"
    true = _Foreground(reference, reference_label, ask, "give a mask, not an image", ignore_value)
    counted = []
    for done, z in enumerate(chosen, start=1):
        foreground, _ = predicted.of_slice(z)
        counted.append((int(z), count_confusion(foreground, *true.of_slice(z))))
        if progress:
            progress(done, len(chosen))
    return Evaluation(tuple(counted))


class _Foreground:
    """The foreground of a volume, slice by slice; remembers the one value that it has."""

    def __init__(
        self, volume: Volume, label: int | None, ask: str, remedy: str, ignore_value: int | None = None
    ) -> None:
        self._volume = volume
        self._label = label
        self._is_mask = label is None
        self._ask = ask
        self._remedy = remedy  # where values are not whole
        self._ignore_value = ignore_value

    def of_slice(self, z: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return where foreground is and, with an ignore value, where voxels count."""
        values = np.asarray(self._volume.array[z])
        check_finite_part(self._volume, values, z, remedy="write it again with 0 outside the structure")
        kept = None if self._ignore_value is None else values != self._ignore_value
        if self._is_mask:
            foreground = values != 0 if kept is None else (values != 0) & kept
            self._check_one_value(values[foreground], z)
            return foreground, kept
        return values == self._label, kept

    def _check_one_value(self, values: np.ndarray, z: int) -> None:
        if not values.size:
            return
        # The value found in the first slice with foreground must be that of all later ones.
        first = values[0] if self._label is None else self._label
        if (values == first).all() and float(first).is_integer():
            self._label = first
            return
        # The second value for the message; `first` itself where it is no whole number.
        other = next((value for value in values[values != first]), first)
        remedy = self._remedy
        if float(first).is_integer() and float(other).is_integer():
            remedy = f"choose a label with {self._ask}, or if these are ids of objects, score them with --instances"
        raise InputError(
            f"{self._volume.name}: slice {z} holds {first:g} and {other:g}, expected one whole value besides 0 in a "
            f"mask; {remedy}"
        )


def _entry(confusion: Confusion) -> dict[str, Any]:
    return {**binary_scores(confusion), **dataclasses.asdict(confusion)}
