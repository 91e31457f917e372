"""The share of pixels classified as foreground: 0 or 1 indicates a collapsed network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import finite_number
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class PredictedForeground(keras.metrics.Mean):
    """Share of pixels whose logit is above a threshold, over all batches since the last reset.

    Args:
        threshold: Logit above which a pixel is foreground. 0 is probability 0.5.
        name: Name of the metric.

    Call arguments:
        y_true: Shape ``(batch, ..., channels + 1)``: targets, then weight; a pixel of weight 0 is left out.
        y_pred: Logits, shape ``(batch, ..., channels)``.

    Returns:
        Scalar in [0, 1]: exactly 0 if no pixel was foreground, exactly 1 if all were.

    Raises:
        ValueError: If ``threshold`` is no finite number, ``y_true`` has not one channel more than ``y_pred`` or other
            sizes, or a ``sample_weight`` is given.
    """

    def __init__(self, threshold: float = 0.0, *, name: str = "predicted_foreground", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.threshold = finite_number("threshold", threshold)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the last channel of `y_true`")
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        _, weight = split_weight(y_true, y_pred, name=type(self).__name__)
        foreground = ops.cast(y_pred > self.threshold, "float32")
        kept = ops.cast(weight > 0, "float32")
        # A mean over pixels, not of means over batches: weights are pixel counts.
        annotated = ops.sum(kept) * y_pred.shape[-1]
        super().update_state(ops.sum(foreground * kept) / ops.maximum(annotated, 1.0), sample_weight=annotated)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
