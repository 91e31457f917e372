"""Exact counts of true and predicted classes, streamed over batches: what the IoU metrics are made of."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import whole_number

# The low word stays below it, so that a batch may add as many pixels before int32 overflows.
_CARRY = 2**30


class ConfusionCounts(keras.metrics.Metric):
    """Number of pixels of every true and predicted class since the last reset.

    Counts are whole numbers in two int32 words, because float32 loses single pixels beyond 2^24 and JAX has no int64
    by default. Not a metric of its own: subclasses call ``add`` and give a ``result``.

    Args:
        num_classes: Number of classes, background among them.
        name: Name of the metric.

    Raises:
        ValueError: If ``num_classes`` is no whole number, or less than 2.
    """

    def __init__(self, num_classes: int, *, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.num_classes = whole_number("num_classes", num_classes, least=2)
        # Row by row: the true class decides the row, the predicted one the column.
        self.low = self.add_weight(shape=(num_classes**2,), initializer="zeros", dtype="int32", name="low")
        self.high = self.add_weight(shape=(num_classes**2,), initializer="zeros", dtype="int32", name="high")

    def add(self, truth: Any, predicted: Any, kept: Any) -> None:
        """Count a batch.

        Args:
            truth: True classes, whole numbers, shape ``(batch, ...)`` of at most 2^24 pixels per image.
            predicted: Predicted classes, of the same shape.
            kept: True where the pixel counts.
        """
        # A product of one-hot vectors, summed over the pixels: exact in float32 for an image.
        rows, columns = (
            ops.reshape(ops.one_hot(classes, self.num_classes), (ops.shape(classes)[0], -1, self.num_classes))
            for classes in (truth, predicted)
        )
        rows = rows * ops.reshape(ops.cast(kept, rows.dtype), (ops.shape(rows)[0], -1, 1))
        per_image = ops.cast(ops.einsum("bpi,bpj->bij", rows, columns), "int32")
        low = ops.convert_to_tensor(self.low) + ops.reshape(ops.sum(per_image, axis=0), (-1,))
        self.high.assign(self.high + low // _CARRY)
        self.low.assign(low % _CARRY)

    def confusion(self) -> Any:
        """Return the counts, float32, shape ``(num_classes, num_classes)``: true class, predicted class."""
        counts = ops.cast(self.high, "float32") * float(_CARRY) + ops.cast(self.low, "float32")
        return ops.reshape(counts, (self.num_classes, self.num_classes))

    def class_iou(self) -> tuple[Any, Any]:
        """Return IoU of every class, and 1 where a class is present or predicted, else 0; both ``(num_classes,)``.

        ``IoU_i = p_ii / (sum_j p_ij + sum_j p_ji - p_ii)`` from the confusion ``p`` summed over all pixels.
        """
        counts = self.confusion()
        hits = ops.diagonal(counts)
        unions = ops.sum(counts, axis=0) + ops.sum(counts, axis=1) - hits
        return hits / ops.maximum(unions, 1.0), ops.cast(unions > 0, "float32")
