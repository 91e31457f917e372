"""Bilinear upsampling as a layer."""

from __future__ import annotations

from typing import Any

import keras

from segkit.ops.bilinear_up import bilinear_up


@keras.saving.register_keras_serializable(package="segkit")
class BilinearUp2D(keras.layers.Layer):
    """Upsample bilinearly by a whole factor, for known and unknown height and width alike.

    Args:
        factor: Positive whole factor of both spatial axes.

    Call arguments:
        inputs: Tensor, shape ``(batch, y, x, channels)``.

    Returns:
        Tensor, shape ``(batch, factor * y, factor * x, channels)``.

    Raises:
        ValueError: If ``factor`` is not a positive whole number.

    Example:
        >>> BilinearUp2D(2)(keras.ops.reshape([0.0, 4.0], (1, 1, 2, 1)))[0, 0, :, 0]  # doctest: +SKIP
        [0., 1., 3., 4.]
    """

    def __init__(self, factor: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (isinstance(factor, int) and factor >= 1):
            raise ValueError(f"`factor` must be a positive whole number. Received: factor={factor!r}")
        self.factor = factor

    def call(self, inputs):
        return bilinear_up(inputs, self.factor)

    def compute_output_shape(self, input_shape):
        batch, y, x, channels = input_shape
        return (batch, y and y * self.factor, x and x * self.factor, channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
