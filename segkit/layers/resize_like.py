"""Resizing to the size of another tensor as a layer."""

from __future__ import annotations

import keras
from keras import ops

from segkit.layers.two_tensors import two_tensors
from segkit.ops.resize_bilinear import resize_bilinear


@keras.saving.register_keras_serializable(package="segkit")
class ResizeLike(keras.layers.Layer):
    """Resize the first tensor to the height and width of the second, bilinearly.

    Call arguments:
        inputs: Two tensors, shapes ``(batch, y, x, channels)`` and ``(batch, height, width, any)``; heights and widths
            may be unknown.

    Returns:
        Tensor, shape ``(batch, height, width, channels)``.

    Raises:
        ValueError: If the layer is not called with two tensors.
    """

    def call(self, inputs):
        values, like = two_tensors(type(self).__name__, inputs)
        # Whole numbers where they are known, so that the layers behind know their shapes.
        return resize_bilinear(values, tuple(ops.shape(like)[1:3]))

    def compute_output_shape(self, input_shape):
        values, like = input_shape
        return (*like[:3], values[-1])
