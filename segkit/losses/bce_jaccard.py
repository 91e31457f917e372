"""SegET's loss: weighted cross entropy plus Jaccard distance."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import true_or_false
from segkit.losses.scalar_loss import ScalarLoss
from segkit.ops.overlap_loss import jaccard_distance, stable_bce
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class BCEJaccard(ScalarLoss):
    """Weighted binary cross entropy plus Jaccard distance, from logits.

    ``mean(w * bce(t, y)) + 1 - J(sigmoid(y), t)``. The weights act on the cross entropy alone, so they travel as the
    last channel of ``y_true``: Keras would multiply a ``sample_weight`` into both terms. The mean is over pixels,
    not over the sum of the weights. A pixel of weight 0 is not annotated: it counts in neither term nor in the mean.

    Args:
        per_sample: Take the Jaccard distance of every sample and average them. By default it is taken once over the
            whole batch, as printed in the paper.
        reduction: ``"sum_over_batch_size"``, ``"mean"``, ``"mean_with_sample_weight"``, ``"none"`` or ``None``, which
            make no difference, as the loss is one number.
        name: Name of the loss.

    Call arguments:
        y_true: Shape ``(batch, ..., channels + 1)``: targets in [0, 1], then their weight, not negative.
        y_pred: Logits, shape ``(batch, ..., channels)``.

    Returns:
        Scalar, float32 [nat]; not negative for targets in [0, 1] and weights of at least 0.

    Raises:
        ValueError: If ``y_true`` has not one channel more than ``y_pred`` or other sizes, ``reduction`` is another,
            such as ``"sum"``, ``per_sample`` is no boolean, or a ``sample_weight`` is given.

    Reference:
        Zhang et al. (2019), SegET, Eqs. 1, 3 and 5; weights Sec. 3.2. The L2 term of Eq. 1 sits in the layers'
        kernel regularizers.

    Example:
        Two pixels, logits 0, targets 1 and 0, weights 3 and 1: ``(3 + 1) * ln 2 / 2 + 1 - 0.5 / (1 + 1 - 0.5)``.
    """

    def __init__(
        self,
        *,
        per_sample: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "bce_jaccard",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.per_sample = true_or_false("per_sample", per_sample)

    def call(self, y_true, y_pred):
        targets, weights = split_weight(y_true, y_pred, name=type(self).__name__)
        annotated = ops.cast(weights > 0, y_pred.dtype)
        # The weight has one channel, the prediction may have several.
        count = ops.maximum(ops.sum(annotated), 1.0) * y_pred.shape[-1]
        cross_entropy = ops.sum(weights * stable_bce(targets, y_pred)) / count
        axis = tuple(range(1, len(y_pred.shape))) if self.per_sample else None
        # Multiplied by `annotated`, unannotated pixels are in none of the three sums of Eq. 4.
        distance = jaccard_distance(targets * annotated, ops.sigmoid(y_pred) * annotated, axis=axis)
        return cross_entropy + ops.mean(distance)

    def get_config(self):
        return {**super().get_config(), "per_sample": self.per_sample}
