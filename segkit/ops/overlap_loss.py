"""The terms of the segmentation losses, as functions of logits."""

from __future__ import annotations

from typing import Any

from keras import ops


def stable_bce(targets: Any, logits: Any) -> Any:
    """Binary cross entropy of every pixel from logits, without overflow.

    ``max(y, 0) - y * t + log(1 + exp(-|y|))`` with logit ``y`` and target ``t``.

    Args:
        targets: Tensor in [0, 1], any shape.
        logits: Tensor of the same shape.

    Returns:
        Tensor of the same shape, not negative [nat].

    Reference:
        Zhang et al. (2019), SegET, Eq. 3.
    """
    return ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))


def jaccard_distance(targets: Any, probability: Any, axis: Any = None) -> Any:
    """One minus the soft Jaccard index, ``1 - I / (|Y| + |T| - I)`` with ``I = sum(y * t)``.

    Where target and prediction are both empty the distance is 0.

    Args:
        targets: Tensor in [0, 1], any shape.
        probability: Tensor of the same shape in [0, 1].
        axis: Axes to sum over; all by default.

    Returns:
        Tensor in [0, 1], the axes summed over removed.

    Reference:
        Zhang et al. (2019), SegET, Eqs. 4 and 5.
    """
    intersection = ops.sum(targets * probability, axis=axis)
    union = ops.sum(targets, axis=axis) + ops.sum(probability, axis=axis) - intersection
    # Sums of non-negative terms: the union is 0 only where both are empty, and then so is the intersection.
    empty = ops.equal(union, 0)
    ratio = intersection / ops.where(empty, ops.ones_like(union), union)
    return 1 - ops.where(empty, ops.ones_like(union), ratio)
