"""Cross entropy of several classes, with weights that travel with the targets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.losses.scalar_loss import ScalarLoss
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class SoftmaxCrossEntropy(ScalarLoss):
    """Softmax cross entropy from logits, averaged over annotated pixels.

    ``sum(w * ce) / n`` over the ``n`` pixels of positive weight. The weight is the last channel of ``y_true``, as it
    is for ``BCEJaccard``; a pixel of weight 0 is not annotated.

    Args:
        reduction: ``"sum_over_batch_size"``, ``"mean"``, ``"mean_with_sample_weight"``, ``"none"`` or ``None``, which
            make no difference, as the loss is one number.
        name: Name of the loss.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: class, then its weight, not negative. Where the weight is positive the class
            must be from 0 to ``num_classes - 1``: this is not checked, and what another number gives depends on the
            backend (TensorFlow: an error on the CPU, NaN with ``jit_compile=True``; JAX: 0 for the pixel).
        y_pred: Logits, shape ``(batch, ..., num_classes)``.

    Returns:
        Scalar, float32 [nat], not negative.

    Raises:
        ValueError: If ``y_true`` has not two channels or other sizes than ``y_pred``, ``y_pred`` has one channel alone,
            which is no choice of classes, ``reduction`` is another, such as ``"sum"``, or a ``sample_weight`` is given.

    Example:
        Two classes, logits 0 and 0, weight 3: ``3 ln 2``.
    """

    def __init__(
        self, *, reduction: str | None = "sum_over_batch_size", name: str = "softmax_cross_entropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        if y_pred.shape[-1] < 2:
            raise ValueError(
                f"{type(self).__name__}: `y_pred` must have a channel for each of two or more classes. "
                f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
            )
        target, weight = split_weight(y_true, y_pred, channels=1, name=type(self).__name__)
        weights = weight[..., 0]
        # The values of unannotated pixels need not be classes.
        classes = ops.cast(ops.where(weights > 0, target[..., 0], 0.0), "int32")
        entropy = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=True)
        return ops.sum(weights * entropy) / ops.maximum(ops.sum(ops.cast(weights > 0, entropy.dtype)), 1.0)
