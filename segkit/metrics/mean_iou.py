"""Mean intersection over union of several classes, streamed over batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from segkit.arguments import sequence, whole_number
from segkit.metrics.confusion_counts import ConfusionCounts
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class MeanIoU(ConfusionCounts):
    """Mean IoU of chosen classes over all pixels seen since the last reset.

    A class that is neither present nor predicted has no IoU and is left out of the mean. Counts are exact. Keras's own
    ``MeanIoU`` takes weights separately from the targets and counts in float32.

    Args:
        num_classes: Number of classes, background among them.
        class_ids: Different classes whose mean is taken, all by default; one alone gives that class's IoU.
        name: Name of the metric.

    Call arguments:
        y_true: Shape ``(batch, ..., 2)``: class, then weight; a pixel of weight 0 is left out, and so is one whose
            class is not among the ``num_classes``.
        y_pred: Logits or probabilities, shape ``(batch, ..., num_classes)``; the largest is what is predicted.

    Returns:
        Scalar in [0, 1], float32; 0 where none of the classes has occurred.

    Raises:
        ValueError: If ``num_classes`` is no whole number of at least 2, ``class_ids`` is no sequence, is empty or names
            a class twice or one that there is not, ``y_true`` has not two channels, or ``y_pred`` not one per class.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Sec. 4.1.
    """

    def __init__(
        self, num_classes: int, class_ids: Sequence[int] | None = None, *, name: str = "mean_iou", **kwargs: Any
    ) -> None:
        super().__init__(num_classes, name=name, **kwargs)
        if class_ids is not None:
            chosen = sequence("class_ids", class_ids)
            known = len(chosen) > 0 and all(0 <= whole_number("class_ids", k) < num_classes for k in chosen)
            if not known or len(set(chosen)) < len(chosen):
                raise ValueError(
                    f"`class_ids` must be different classes from 0 to {num_classes - 1}. "
                    f"Received: class_ids={class_ids!r}"
                )
        self.class_ids = None if class_ids is None else list(class_ids)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the last channel of `y_true`")
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if y_pred.shape[-1] != self.num_classes:
            raise ValueError(
                f"{type(self).__name__}: `y_pred` must have {self.num_classes} channels, one per class. "
                f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
            )
        target, weight = split_weight(y_true, y_pred, channels=1, name=type(self).__name__)
        truth = ops.cast(target[..., 0], "int32")
        self.add(truth, ops.argmax(y_pred, axis=-1), weight[..., 0] > 0)

    def result(self):
        """Return the mean over the chosen classes that occur."""
        iou, occurs = self.class_iou()
        if self.class_ids is not None:
            iou, occurs = (ops.take(values, self.class_ids) for values in (iou, occurs))
        return ops.sum(iou * occurs) / ops.maximum(ops.sum(occurs), 1.0)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes, "class_ids": self.class_ids}
