"""The Dice loss, from logits, with support for unannotated pixels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import true_or_false
from segkit.losses.scalar_loss import ScalarLoss
from segkit.ops.overlap_loss import jaccard_distance
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class Dice(ScalarLoss):
    """One minus the soft Dice coefficient, ``1 - 2 sum(t p) / (sum(t) + sum(p))`` with ``p = sigmoid(y)``.

    The weight is the last channel of ``y_true``, as it is for ``BCEJaccard``; a pixel of weight 0 is not
    annotated and counts nowhere. Other weights make no difference.

    Args:
        per_sample: Take the coefficient of every sample and average. By default it is taken once over the whole batch,
            so that a sample without foreground does not count as much as one full of it.
        reduction: ``"sum_over_batch_size"``, ``"mean"``, ``"mean_with_sample_weight"``, ``"none"`` or ``None``, which
            make no difference, as the loss is one number.
        name: Name of the loss.

    Call arguments:
        y_true: Shape ``(batch, ..., channels + 1)``: targets in [0, 1], then their weight, not negative.
        y_pred: Logits, shape ``(batch, ..., channels)``.

    Returns:
        Scalar, float32, in [0, 1].

    Raises:
        ValueError: If ``y_true`` has not one channel more than ``y_pred`` or other sizes, ``reduction`` is another,
            such as ``"sum"``, ``per_sample`` is no boolean, or a ``sample_weight`` is given.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.2, after Milletari et al. (2016), "V-Net", whose denominator
        holds squares; ours is that of ``keras.losses.dice``, but 0 where target and prediction are both empty.

    Example:
        Two pixels, logits 0, targets 1 and 0: ``1 - 2 * 0.5 / (1 + 1)``.
    """

    def __init__(
        self,
        *,
        per_sample: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.per_sample = true_or_false("per_sample", per_sample)

    def call(self, y_true, y_pred):
        targets, weights = split_weight(y_true, y_pred, name=type(self).__name__)
        annotated = ops.cast(weights > 0, y_pred.dtype)
        axis = tuple(range(1, len(y_pred.shape))) if self.per_sample else None
        distance = jaccard_distance(targets * annotated, ops.sigmoid(y_pred) * annotated, axis=axis)
        return ops.mean(distance / (2 - distance))  # with J = 1 - distance, 1 - 2 J / (1 + J)

    def get_config(self):
        return {**super().get_config(), "per_sample": self.per_sample}
