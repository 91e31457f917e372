"""Mean intersection over union of foreground and background, streamed over batches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.metrics.confusion_counts import ConfusionCounts


@keras.saving.register_keras_serializable(package="segkit")
class BinaryMeanIoU(ConfusionCounts):
    """Mean IoU of background and foreground over all pixels seen since the last reset.

    ``IoU_i = p_ii / (sum_j p_ij + sum_j p_ji - p_ii)`` from the confusion ``p`` summed over all pixels. A class that
    is neither present nor predicted has no IoU and is left out of the mean. Counts are exact.

    Args:
        threshold: Logit above which a pixel is foreground. 0 is probability 0.5.
        name: Name of the metric.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: target in {0, 1} and weight, a pixel of weight 0 is left out; or
            ``(batch, ..., 1)``.
        y_pred: Logits, shape ``(batch, ..., 1)``.

    Returns:
        Scalar in [0, 1], float32; 0 before the first pixel.

    Reference:
        Zhang et al. (2019), SegET, Eq. 6.
    """

    def __init__(self, threshold: float = 0.0, *, name: str = "mean_iou", **kwargs: Any) -> None:
        super().__init__(2, name=name, **kwargs)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the second channel of `y_true`")
        y_true = ops.convert_to_tensor(y_true)
        truth = ops.cast(y_true[..., 0] > 0.5, "int32")
        predicted = ops.cast(ops.convert_to_tensor(y_pred)[..., 0] > self.threshold, "int32")
        self.add(truth, predicted, y_true[..., 1] > 0 if y_true.shape[-1] == 2 else ops.ones_like(truth))

    def result(self):
        """Return the mean over the classes that occur."""
        iou, occurs = self.class_iou()
        return ops.sum(iou * occurs) / ops.maximum(ops.sum(occurs), 1.0)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
