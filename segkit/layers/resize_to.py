"""Resizing to a fixed size as a layer, whatever size comes in."""

from __future__ import annotations

from typing import Any

import keras

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
        ValueError: If a size is not positive.
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if height < 1 or width < 1:
            raise ValueError(f"`height` and `width` must be positive [px]. Received: {height!r} and {width!r}")
        self.height = height
        self.width = width

    def call(self, inputs):
        return resize_bilinear(inputs, (self.height, self.width))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}
