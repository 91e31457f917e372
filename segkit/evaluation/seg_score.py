"""SEG, the Cell Tracking Challenge's score of segmented objects, and what it is per parameter of a network."""

from __future__ import annotations

import numpy as np

from segkit.instances.label_overlaps import LabelOverlaps


def reference_jaccards(overlaps: LabelOverlaps) -> np.ndarray:
    """Return the Jaccard index of every reference object with the object that covers more than half of it.

    ``|R & S| / |R | S|`` for the one object S with ``|R & S| > |R| / 2``; 0 where there is none. SEG is the mean over
    the reference objects of all annotated slices or volumes. Where a frame is annotated in part, only annotated
    objects are in ``overlaps``, so other objects that were found do not lower the score.

    Args:
        overlaps: Overlaps of one annotated slice or volume.

    Returns:
        float64, shape ``(n,)``, in the order of ``overlaps.reference_ids``, each in [0, 1].

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", SEG in Sec. 3.3, after Maška et al. (2014), "A benchmark for
        comparison of cell tracking algorithms", Bioinformatics 30(11).
    """
    jaccards = np.zeros(len(overlaps.reference_ids))
    covers = overlaps.covers
    jaccards[overlaps.reference_index[covers]] = overlaps.iou[covers]
    return jaccards


def parameter_efficiency(seg: float, num_parameters: int) -> float:
    """Return PESEG, SEG per million parameters: ``SEG / N * 10**6``.

    Args:
        seg: SEG, in [0, 1].
        num_parameters: Parameters of all networks that were used, positive.

    Raises:
        ValueError: If there are no parameters.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3.

    Example:
        >>> round(parameter_efficiency(0.951, 6_697_824), 3)
        0.142
    """
    if num_parameters < 1:
        raise ValueError(f"`num_parameters` must be positive. Received: num_parameters={num_parameters!r}")
    return seg / num_parameters * 1e6
