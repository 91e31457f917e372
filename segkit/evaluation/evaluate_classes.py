"""Scores of a predicted label volume against a reference of the same classes, per slice and in total."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.evaluation.class_scores import class_scores, count_classes
from segkit.volumes.checks import check_comparable
from segkit.volumes.volume import Volume


@dataclasses.dataclass(frozen=True)
class ClassEvaluation:
    """Confusion counts of the scored slices.

    Attributes:
        class_names: Name of every class, in the order of the labels.
        slices: Index of each slice and its counts, int64 ``(classes, classes)``: true class, predicted class.
    """

    class_names: tuple[str, ...]
    slices: tuple[tuple[int, np.ndarray], ...]

    def __add__(self, other: ClassEvaluation) -> ClassEvaluation:
        """Return the slices of both as one evaluation."""
        return ClassEvaluation(self.class_names, self.slices + other.slices)

    @property
    def total(self) -> np.ndarray:
        """Counts over all scored slices."""
        none = np.zeros((len(self.class_names), len(self.class_names)), np.int64)
        return sum((counts for _, counts in self.slices), none)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"classes": [...], "total": {...}, "slices": [{"z": ..., ...}, ...]}``, for ``json``."""
        return {
            "classes": list(self.class_names),
            "total": self._entry(self.total),
            "slices": [{"z": z, **self._entry(counts)} for z, counts in self.slices],
        }

    def to_table(self) -> str:
        """Return a plain-text table, one line per slice and one in total; ``-`` where a score is 0 / 0."""
        titles = ["mIoU", "accuracy", *self.class_names]
        widths = [max(11, len(title) + 2) for title in titles]
        lines = ["slice " + "".join(f"{title:>{width}}" for title, width in zip(titles, widths, strict=True))]
        for name, counts in [*((str(z), counts) for z, counts in self.slices), ("all", self.total)]:
            scores = class_scores(counts, self.class_names)
            cells = [scores["mean_iou"], scores["pixel_accuracy"], *scores["iou"].values()]
            shown = ["-" if cell is None else f"{cell:.4f}" for cell in cells]
            lines.append(f"{name:<6}" + "".join(f"{cell:>{width}}" for cell, width in zip(shown, widths, strict=True)))
        return "\n".join(lines)

    def _entry(self, counts: np.ndarray) -> dict[str, Any]:
        return {**class_scores(counts, self.class_names), "confusion": counts.tolist()}


def evaluate_classes(
    prediction: Volume,
    reference: Volume,
    class_names: Sequence[str],
    *,
    slices: Sequence[int] | None = None,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ClassEvaluation:
    """Score labels against reference labels, one slice in memory at a time.

    Args:
        prediction: Label volume; 0 is the first class.
        reference: Label volume of the same shape and classes.
        class_names: Name of every class.
        slices: Indices of the slices to score; all by default.
        ignore_value: Value of unannotated reference voxels; they do not count.
        progress: Called as ``progress(done, total)`` after each slice.

    Raises:
        InputError: If the shapes differ, a slice is outside of them or named twice, or a voxel belongs to none of the
            classes.
        ValueError: If ``slices`` are not indices.
    """
    check_comparable(prediction, reference)
    chosen = chosen_slices(slices, reference.shape[0])
    counted = []
    for done, z in enumerate(chosen, start=1):
        labels, true = (np.asarray(volume.array[z]) for volume in (prediction, reference))
        kept = np.ones(true.shape, bool) if ignore_value is None else true != ignore_value
        for volume, values in ((prediction, labels), (reference, true)):
            _check_classes(volume, values[kept], len(class_names), z)
        counted.append((int(z), count_classes(labels, true, len(class_names), kept)))
        if progress:
            progress(done, len(chosen))
    return ClassEvaluation(tuple(class_names), tuple(counted))


def _check_classes(volume: Volume, values: np.ndarray, num_classes: int, z: int) -> None:
    wrong = values[~np.isin(values, np.arange(num_classes))]
    if wrong.size:
        raise InputError(
            f"{volume.name}: slice {z} holds {wrong[0]:g}, expected labels from 0 to {num_classes - 1}; score "
            "labels of the same classes, or give the value of unannotated voxels with --ignore-value"
        )
