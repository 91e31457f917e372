"""Average precision over thresholds of IoU, as the field of cell segmentation uses the word."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from segkit.instances.label_overlaps import LabelOverlaps

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.5, 0.55, ..., 0.95."""


@dataclasses.dataclass(frozen=True)
class Matches:
    """Numbers of objects that are matched at a threshold; they add up over images.

    Attributes:
        matched: Pairs of a reference object and a predicted one, each object in one pair at most.
        missed: Reference objects without a partner.
        false: Predicted objects without a partner.
    """

    matched: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Matches) -> Matches:
        return Matches(self.matched + other.matched, self.missed + other.missed, self.false + other.false)

    @property
    def average_precision(self) -> float | None:
        """``TP / (TP + FP + FN)``, in [0, 1]; ``None`` where there are no objects at all."""
        objects = self.matched + self.missed + self.false
        return self.matched / objects if objects else None


def match_objects(overlaps: LabelOverlaps, threshold: float = 0.5) -> Matches:
    """Match as many objects as can be with an IoU of at least a threshold.

    Args:
        overlaps: Overlaps of an image or volume.
        threshold: Least IoU of a pair, in (0, 1].

    Raises:
        ValueError: If the threshold is out of range.

    Reference:
        The definition that Schmidt et al. (2018), "Cell Detection with Star-convex Polygons", brought to cells. Some
        report the mean over images; add up ``Matches`` for the objects of all images alike.

    Example:
        >>> from segkit.instances.label_overlaps import count_overlaps
        >>> match_objects(count_overlaps(np.array([[1, 1, 2, 0]]), np.array([[7, 7, 7, 9]])))
        Matches(matched=1, missed=1, false=1)
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"`threshold` must be in (0, 1]. Received: threshold={threshold!r}")
    shape = (len(overlaps.reference_ids), len(overlaps.prediction_ids))
    allowed = overlaps.iou >= threshold
    rows, columns = overlaps.reference_index[allowed], overlaps.prediction_index[allowed]
    # At 0.5 exactly an object may have two partners, so pairs are matched and not just counted.
    graph = sparse.csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=shape)
    matched = int(np.count_nonzero(maximum_bipartite_matching(graph) >= 0)) if len(rows) else 0
    return Matches(matched, shape[0] - matched, shape[1] - matched)
