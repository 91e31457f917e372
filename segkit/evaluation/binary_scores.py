"""Scores of a binary segmentation, from its confusion counts."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Numbers of voxels, exact whole numbers; they add up over slices.

    Attributes:
        true_positives: Foreground in both.
        false_positives: Foreground in the prediction alone.
        false_negatives: Foreground in the reference alone.
        true_negatives: Background in both.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    true_negatives: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


def count_confusion(prediction: np.ndarray, reference: np.ndarray, kept: np.ndarray | None = None) -> Confusion:
    """Count the voxels of each kind.

    Args:
        prediction: True where foreground is predicted, any shape.
        reference: True where foreground is, the same shape.
        kept: True where the voxel counts at all; everywhere by default.
    """
    if kept is not None:
        prediction, reference = prediction[kept], reference[kept]
    # Three counts give all four: the rest is what is in neither.
    both = int(np.count_nonzero(prediction & reference))
    predicted, true = int(np.count_nonzero(prediction)), int(np.count_nonzero(reference))
    return Confusion(both, predicted - both, true - both, prediction.size - predicted - true + both)


def binary_scores(confusion: Confusion) -> dict[str, float | None]:
    """Return the scores of a confusion.

    Args:
        confusion: Counts of voxels.

    Returns:
        ``mean_iou`` (mean of foreground and background IoU; a class that neither side has is left out),
        ``foreground_iou``, ``background_iou``, ``dice``, ``precision``, ``recall``, ``pixel_accuracy``, each in
        [0, 1], or ``None`` where it is 0 / 0.

    Reference:
        Zhang et al. (2019), SegET, Eq. 6 (``mean_iou``).

    Example:
        >>> binary_scores(Confusion(2, 1, 1, 6))["foreground_iou"]
        0.5
    """
    tp, fp, fn, tn = dataclasses.astuple(confusion)
    foreground, background = _ratio(tp, tp + fp + fn), _ratio(tn, tn + fp + fn)
    occurring = [iou for iou in (foreground, background) if iou is not None]
    return {
        "mean_iou": sum(occurring) / len(occurring) if occurring else None,
        "foreground_iou": foreground,
        "background_iou": background,
        "dice": _ratio(2 * tp, 2 * tp + fp + fn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "pixel_accuracy": _ratio(tp + tn, tp + fp + fn + tn),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
