"""Linear upsampling as a layer."""

from __future__ import annotations

from typing import Any

import keras

from segkit.geometry.per_axis import PerAxis, along_axes, positive_per_axis
from segkit.ops.linear_up import linear_up


@keras.saving.register_keras_serializable(package="segkit")
class LinearUp(keras.layers.Layer):
    """Upsample images or volumes linearly by whole factors, for known and unknown sizes alike.

    Args:
        factor: Positive whole factor of all spatial axes, or one per axis.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, any number of spatial axes.

    Returns:
        Tensor of ``factor`` times the size along every spatial axis.

    Raises:
        ValueError: If ``factor`` is not a positive whole number or a sequence of those, or there is not one per axis.

    Example:
        >>> LinearUp(2)(keras.ops.reshape([0.0, 4.0], (1, 1, 2, 1)))[0, 0, :, 0]  # doctest: +SKIP
        [0., 1., 3., 4.]
    """

    def __init__(self, factor: PerAxis = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = positive_per_axis("factor", factor)

    def call(self, inputs):
        return linear_up(inputs, along_axes("factor", self.factor, len(inputs.shape) - 2))

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        factors = along_axes("factor", self.factor, len(sizes))
        return (batch, *(size and size * f for size, f in zip(sizes, factors, strict=True)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
