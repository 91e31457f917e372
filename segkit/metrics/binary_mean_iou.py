"""Mean intersection over union of foreground and background, streamed over batches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_CARRY = 2**30


@keras.saving.register_keras_serializable(package="segkit")
class BinaryMeanIoU(keras.metrics.Metric):
    """Mean IoU of background and foreground over all pixels seen since the last reset.

    ``IoU_i = p_ii / (sum_j p_ij + sum_j p_ji - p_ii)`` from the confusion ``p`` summed over all pixels. A class that
    is neither present nor predicted has no IoU and is left out of the mean. Counts are whole numbers in two int32
    words, because float32 loses single pixels beyond 2^24 and JAX has no int64 by default.

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
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        # Order: true negatives, false positives, false negatives, true positives.
        self.low = self.add_weight(shape=(4,), initializer="zeros", dtype="int32", name="low")
        self.high = self.add_weight(shape=(4,), initializer="zeros", dtype="int32", name="high")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the second channel of `y_true`")
        y_true = ops.convert_to_tensor(y_true)
        truth = y_true[..., 0] > 0.5
        predicted = ops.convert_to_tensor(y_pred)[..., 0] > self.threshold
        kept = y_true[..., 1] > 0 if y_true.shape[-1] == 2 else ops.ones_like(truth)
        cells = [
            ops.logical_and(ops.equal(truth, t), ops.equal(predicted, p))
            for t, p in ((False, False), (False, True), (True, False), (True, True))
        ]
        counts = [ops.sum(ops.cast(ops.logical_and(cell, kept), "int32")) for cell in cells]
        low = ops.convert_to_tensor(self.low) + ops.stack(counts)
        self.high.assign(self.high + low // _CARRY)
        self.low.assign(low % _CARRY)

    def confusion(self) -> Any:
        """Return ``[tn, fp, fn, tp]``, float32, shape ``(4,)``."""
        return ops.cast(self.high, "float32") * float(_CARRY) + ops.cast(self.low, "float32")

    def result(self):
        """Return the mean over the classes that occur."""
        tn, fp, fn, tp = ops.unstack(self.confusion(), 4)
        hits = ops.stack([tn, tp])
        unions = hits + fp + fn
        occurs = ops.cast(unions > 0, "float32")
        return ops.sum(occurs * hits / ops.maximum(unions, 1.0)) / ops.maximum(ops.sum(occurs), 1.0)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}
