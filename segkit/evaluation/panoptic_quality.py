"""Panoptic quality of segmented objects."""

from __future__ import annotations

import dataclasses

import numpy as np

from segkit.instances.label_overlaps import LabelOverlaps


@dataclasses.dataclass(frozen=True)
class PanopticCounts:
    """What panoptic quality is made of; it adds up over images.

    Attributes:
        iou: Sum of the IoU of all matched pairs.
        matched: Pairs of a reference object and a predicted one whose IoU is above 0.5; no object can be in two.
        missed: Reference objects without a partner.
        false: Predicted objects without a partner.
    """

    iou: float = 0.0
    matched: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        parts = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return PanopticCounts(*(a + b for a, b in parts))

    @property
    def quality(self) -> float | None:
        """PQ, ``sum of IoU / (TP + FP / 2 + FN / 2)``, in [0, 1]; ``None`` where there are no objects at all."""
        objects = self.matched + (self.missed + self.false) / 2
        return self.iou / objects if objects else None

    @property
    def segmentation(self) -> float | None:
        """SQ, the mean IoU of matched pairs; ``None`` without any."""
        return self.iou / self.matched if self.matched else None

    @property
    def recognition(self) -> float | None:
        """RQ, the F1 score of the matching; ``None`` where there are no objects at all."""
        objects = self.matched + (self.missed + self.false) / 2
        return self.matched / objects if objects else None


def count_panoptic(overlaps: LabelOverlaps) -> PanopticCounts:
    """Match objects whose IoU is above 0.5, and count.

    Args:
        overlaps: Overlaps of an image or volume.

    Reference:
        Kirillov et al. (2019), "Panoptic Segmentation", doi:10.1109/CVPR.2019.00963, Eq. 1.

    Example:
        >>> from segkit.instances.label_overlaps import count_overlaps
        >>> count_panoptic(count_overlaps(np.array([[1, 1, 1, 2, 0]]), np.array([[7, 7, 0, 0, 9]])))
        PanopticCounts(iou=0.6666666666666666, matched=1, missed=1, false=1)
    """
    matched = overlaps.iou[overlaps.iou > 0.5]
    count = len(matched)
    return PanopticCounts(
        iou=float(np.sum(matched)),
        matched=count,
        missed=len(overlaps.reference_ids) - count,
        false=len(overlaps.prediction_ids) - count,
    )
