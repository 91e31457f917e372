"""DET, the Cell Tracking Challenge's score of detected objects."""

from __future__ import annotations

import dataclasses

import numpy as np

from segkit.instances.label_overlaps import LabelOverlaps

SPLIT_COST, MISSED_COST, FALSE_COST = 5, 10, 1
"""Costs of splitting an object that holds several, of adding one that is missing, and of removing a false one."""


@dataclasses.dataclass(frozen=True)
class DetectionErrors:
    """Numbers of corrections that would make the detected objects the true ones; they add up over frames.

    Attributes:
        reference: Reference objects.
        missed: Reference objects that no object covers by more than half.
        false: Objects that cover no reference object so.
        splits: Splits that separate the objects which cover several.
    """

    reference: int = 0
    missed: int = 0
    false: int = 0
    splits: int = 0

    def __add__(self, other: DetectionErrors) -> DetectionErrors:
        return DetectionErrors(
            *(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True))
        )

    @property
    def det(self) -> float | None:
        """DET, ``1 - min(D, D0) / D0`` in [0, 1]: D the cost of the corrections, D0 that of adding every object.

        ``None`` where there is no reference object.
        """
        if not self.reference:
            return None
        cost = SPLIT_COST * self.splits + MISSED_COST * self.missed + FALSE_COST * self.false
        from_nothing = MISSED_COST * self.reference
        return 1 - min(cost, from_nothing) / from_nothing


def detection_errors(overlaps: LabelOverlaps) -> DetectionErrors:
    """Count the errors of detection in a frame.

    Args:
        overlaps: Overlaps of the reference (markers or whole cells) with what was found.

    Reference:
        The Cell Tracking Challenge's AOGM-D, after Matula et al. (2015), "Cell Tracking Accuracy Measurement Based on
        Comparison of Acyclic Oriented Graphs", PLOS ONE 10(12).

    Example:
        >>> from segkit.instances.label_overlaps import count_overlaps
        >>> detection_errors(count_overlaps(np.array([[1, 2, 3, 0, 0]]), np.array([[4, 4, 0, 0, 5]])))
        DetectionErrors(reference=3, missed=1, false=1, splits=1)
    """
    # How many reference objects each predicted one covers by more than half.
    covered = np.bincount(overlaps.prediction_index[overlaps.covers], minlength=len(overlaps.prediction_ids))
    return DetectionErrors(
        reference=len(overlaps.reference_ids),
        missed=len(overlaps.reference_ids) - int(covered.sum()),
        false=int(np.count_nonzero(covered == 0)),
        splits=int(np.maximum(covered - 1, 0).sum()),
    )
