"""The scores of a probability at every threshold, in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.evaluation.binary_scores import Confusion, binary_scores
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.volumes.checks import check_comparable
from segkit.volumes.volume import Volume

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""0.05, 0.1, ..., 0.95."""

_COLUMNS = (("foreground_iou", "fg IoU"), ("dice", "Dice"), ("precision", "precision"), ("recall", "recall"))


@dataclasses.dataclass(frozen=True)
class ThresholdSweep:
    """Confusion counts at several thresholds.

    Attributes:
        counts: Threshold and counts, from the lowest threshold to the highest.
    """

    counts: tuple[tuple[float, Confusion], ...]

    @property
    def best(self) -> float | None:
        """Threshold of the highest foreground IoU, the middle one of equal ones; ``None`` without any foreground."""
        scores = [(binary_scores(confusion)["foreground_iou"], threshold) for threshold, confusion in self.counts]
        known = [(score, threshold) for score, threshold in scores if score is not None]
        if not known:
            return None
        highest = max(score for score, _ in known)
        equal = [threshold for score, threshold in known if score == highest]
        return equal[len(equal) // 2]

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"best": ..., "thresholds": [{"threshold": ..., ...}, ...]}`` for ``json``."""
        rows = [
            {"threshold": threshold, **binary_scores(confusion), **dataclasses.asdict(confusion)}
            for threshold, confusion in self.counts
        ]
        return {"best": self.best, "thresholds": rows}

    def to_table(self) -> str:
        """Return a plain-text table, one line per threshold; the best one is marked."""
        lines = ["threshold" + "".join(f"{title:>11}" for _, title in _COLUMNS)]
        for threshold, confusion in self.counts:
            scores = binary_scores(confusion)
            cells = (scores[key] for key, _ in _COLUMNS)
            shown = "".join(f"{'-' if cell is None else f'{cell:.4f}':>11}" for cell in cells)
            lines.append(f"{threshold:<9.2f}{shown}{'  best' if threshold == self.best else ''}")
        return "\n".join(lines)


def sweep_thresholds(
    probability: Volume,
    reference: Volume,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    slices: Sequence[int] | None = None,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ThresholdSweep:
    """Score what a probability gives above each of several thresholds.

    Choose a threshold on slices that were neither trained on nor are to be reported: the best one of the scored slices
    is too good for others.

    Args:
        probability: Probability of foreground, in [0, 1].
        reference: Mask of the same shape; everything but 0 is foreground.
        thresholds: Thresholds in [0, 1], ascending.
        slices: Indices of the slices to score; all by default.
        ignore_value: Value of unannotated reference voxels; they do not count.
        progress: Called as ``progress(done, total)`` after each slice.

    Raises:
        InputError: If the shapes differ, a slice is outside of them or named twice, or a voxel is no probability.
        ValueError: If thresholds are not ascending, or ``slices`` are not indices.
    """
    check_comparable(probability, reference)
    edges = np.asarray(thresholds, float)
    if edges.ndim != 1 or not len(edges) or (np.diff(edges) <= 0).any():
        raise ValueError(f"`thresholds` must be ascending. Received: thresholds={thresholds!r}")
    chosen = chosen_slices(slices, reference.shape[0])
    # Voxels of background (0) and foreground (1) by the number of thresholds that they exceed.
    voxels = np.zeros((2, len(edges) + 1), np.int64)
    for done, z in enumerate(chosen, start=1):
        values, truth = np.asarray(probability.array[z]), np.asarray(reference.array[z])
        _check(probability, values, z)
        kept = slice(None) if ignore_value is None else truth != ignore_value
        # In the type of the volume, as a prediction compares them.
        exceeded = np.searchsorted(edges.astype(values.dtype), values[kept].ravel(), side="left")
        is_foreground = (truth[kept] != 0).ravel()
        for kind in (0, 1):
            voxels[kind] += np.bincount(exceeded[is_foreground == kind], minlength=len(edges) + 1)
        if progress:
            progress(done, len(chosen))
    counts = []
    for number, threshold in enumerate(edges.tolist(), start=1):
        false, true = voxels[:, number:].sum(axis=1).tolist()
        background, foreground = voxels.sum(axis=1).tolist()
        counts.append((threshold, Confusion(true, false, foreground - true, background - false)))
    return ThresholdSweep(tuple(counts))


def _check(volume: Volume, values: np.ndarray, z: int) -> None:
    if values.dtype.kind != "f" or not (values.size == 0 or (values.min() >= 0 and values.max() <= 1)):
        found = "NaN" if np.isnan(values).any() else f"{values.min():g} to {values.max():g}"
        raise InputError(
            f"{volume.name}: slice {z} holds {values.dtype} values of {found}, expected probabilities from 0 to 1; "
            "give the output of segkit predict --probability"
        )
