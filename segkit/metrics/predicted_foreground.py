"""The share of pixels called foreground: 0 or 1 tells a collapsed network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="segkit")
class PredictedForeground(keras.metrics.Mean):
    """Share of pixels whose logit is above a threshold, over all batches since the last reset.

    Args:
        threshold: Logit above which a pixel is foreground. 0 is probability 0.5.
        name: Name of the metric.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: target and weight, a pixel of weight 0 is left out; any other is not
            looked at.
        y_pred: Logits, any shape.

    Returns:
        Scalar in [0, 1]: exactly 0 if no pixel was foreground, exactly 1 if all were.
    """

    def __init__(self, threshold: float = 0.0, *, name: str = "predicted_foreground", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        foreground = ops.cast(ops.convert_to_tensor(y_pred) > self.threshold, "float32")
        kept = ops.ones_like(foreground)
        if y_true is not None and y_true.shape[-1] == 2:
            kept = ops.cast(ops.convert_to_tensor(y_true)[..., 1:] > 0, "float32")
        # A mean over pixels, not of means over batches: weights are pixel counts.
        annotated = ops.sum(kept)
        super().update_state(ops.sum(foreground * kept) / ops.maximum(annotated, 1.0), sample_weight=annotated)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
