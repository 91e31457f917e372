"""Scores of a predicted volume against a reference, per slice and in all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
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
        """Return a plain-text table, a line a slice and one in all; ``-`` where a score is 0 / 0."""
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
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a mask or label volume against a reference mask, a slice in memory at a time.

    Args:
        prediction: Not zero is foreground; or a label volume together with ``label``.
        reference: Not zero is foreground; the same shape.
        slices: Indices of the slices to score; all by default.
        label: Only this value of the prediction is foreground.
        ignore_value: Value of reference voxels that nobody annotated; they do not count.
        progress: Called as ``progress(done, total)`` after each slice.

    Raises:
        InputError: If the shapes differ.
    """
    if prediction.shape != reference.shape:
        found, expected = (" x ".join(map(str, volume.shape)) for volume in (prediction, reference))
        raise InputError(
            f"{prediction.name}: {found} voxels (z, y, x), the reference {reference.name} has {expected}; "
            "score a prediction of the same volume"
        )
    chosen = range(reference.shape[0]) if slices is None else slices
    counted = []
    for done, z in enumerate(chosen, start=1):
        predicted, painted = np.asarray(prediction.array[z]), np.asarray(reference.array[z])
        foreground = predicted != 0 if label is None else predicted == label
        kept = None if ignore_value is None else painted != ignore_value
        counted.append((int(z), count_confusion(foreground, painted != 0, kept)))
        if progress:
            progress(done, len(chosen))
    return Evaluation(tuple(counted))


def _entry(confusion: Confusion) -> dict[str, Any]:
    return {**binary_scores(confusion), **dataclasses.asdict(confusion)}
