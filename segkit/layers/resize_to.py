"""Resizing to a fixed size as a layer, whatever size comes in."""

from __future__ import annotations

from typing import Any

import keras

from segkit.arguments import whole_number
from segkit.ops.resize_bilinear import resize_bilinear


@keras.saving.register_keras_serializable(package="segkit")
class ResizeTo(keras.layers.Layer):
    """Resize images of any size to one size, bilinearly, averaging where they become smaller.

    Args:
        height: Height of the result [px], positive.
        width: Width of the result [px], positive.

    Call arguments:
        inputs: Tensor, shape ``(batch, y, x, channels)``; ``y`` and ``x`` may be unknown.

    Returns:
        Tensor, shape ``(batch, height, width, channels)``.

    Raises:
        ValueError: If a size is not a positive whole number.
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = whole_number("height", height, least=1)
        self.width = whole_number("width", width, least=1)

    def call(self, inputs):
        return resize_bilinear(inputs, (self.height, self.width))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}
