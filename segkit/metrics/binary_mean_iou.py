"""Mean intersection over union of foreground and background, streamed over batches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import finite_number
from segkit.metrics.confusion_counts import ConfusionCounts
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class BinaryMeanIoU(ConfusionCounts):
    """Mean IoU of background and foreground over all pixels seen since the last reset.

    ``IoU_i = p_ii / (sum_j p_ij + sum_j p_ji - p_ii)`` from the confusion ``p`` summed over all pixels. A class that
    is neither present nor predicted has no IoU and is left out of the mean. Counts are exact.

    Args:
        threshold: Logit above which a pixel is foreground. 0 is probability 0.5.
        name: Name of the metric.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: target in {0, 1}, then weight; a pixel of weight 0 is left out.
        y_pred: Logits, shape ``(batch, ..., 1)``.

    Returns:
        Scalar in [0, 1], float32; 0 before the first pixel.

    Raises:
        ValueError: If ``threshold`` is no finite number, ``y_true`` has not two channels, or ``y_pred`` not one.

    Reference:
        Zhang et al. (2019), SegET, Eq. 6.
    """

    def __init__(self, threshold: float = 0.0, *, name: str = "mean_iou", **kwargs: Any) -> None:
        super().__init__(2, name=name, **kwargs)
        self.threshold = finite_number("threshold", threshold)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the last channel of `y_true`")
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if y_pred.shape[-1] != 1:
            raise ValueError(
                f"{type(self).__name__}: `y_pred` must have one channel. "
                f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
            )
        target, weight = split_weight(y_true, y_pred, name=type(self).__name__)
        truth = ops.cast(target[..., 0] > 0.5, "int32")
        predicted = ops.cast(y_pred[..., 0] > self.threshold, "int32")
        self.add(truth, predicted, weight[..., 0] > 0)

    def result(self):
        """Return the mean over the classes that occur."""
        iou, occurs = self.class_iou()
        return ops.sum(iou * occurs) / ops.maximum(ops.sum(occurs), 1.0)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
