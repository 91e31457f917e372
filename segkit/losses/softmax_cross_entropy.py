"""Cross entropy of several classes, with weights that travel with the targets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="segkit")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Softmax cross entropy from logits, averaged over annotated pixels.

    ``sum(w * ce) / n`` over the ``n`` pixels of positive weight. Weights travel as a second channel of ``y_true``, as
    they do for ``BCEJaccard``; a pixel of weight 0 is not annotated.

    Args:
        reduction: As in Keras.
        name: Name of the loss.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: class and weight, not negative; or ``(batch, ..., 1)``: class alone, every
            weight 1.
        y_pred: Logits, shape ``(batch, ..., num_classes)``.

    Returns:
        Scalar, float32 [nat], not negative.

    Example:
        Two classes, logits 0 and 0, weight 3: ``3 ln 2``.
    """

    def __init__(
        self, *, reduction: str = "sum_over_batch_size", name: str = "softmax_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        weights = y_true[..., 1] if y_true.shape[-1] == 2 else ops.ones_like(y_true[..., 0])
        # Whatever stands where nobody annotated need not be a class.
        classes = ops.cast(ops.where(weights > 0, y_true[..., 0], 0.0), "int32")
        entropy = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=True)
        return ops.sum(weights * entropy) / ops.maximum(ops.sum(ops.cast(weights > 0, entropy.dtype)), 1.0)
