"""Squeeze and excitation: every channel weighted by what the whole image or volume holds."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import whole_number
from segkit.layers.known_channels import known_channels


@keras.saving.register_keras_serializable(package="segkit")
class SqueezeExcite(keras.layers.Layer):
    """Multiply every channel by a weight in (0, 1) that two dense layers make of the channels' means.

    The means are over all spatial axes, so the result for a tile is not that for the same positions of a larger one.

    Args:
        reduction: Channels per hidden unit of the first dense layer, positive; at least one unit is kept.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, any number of spatial axes.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: If ``reduction`` is not a positive whole number, or the number of channels is unknown.

    Reference:
        Hu, Shen & Sun (2018), "Squeeze-and-Excitation Networks", Sec. 3.
    """

    def __init__(self, reduction: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reduction = whole_number("reduction", reduction, least=1)

    def build(self, input_shape):
        channels = known_channels(self.name, input_shape)
        hidden = max(1, channels // self.reduction)
        self.squeeze = keras.layers.Dense(hidden, activation="relu", dtype=self.dtype_policy)
        self.excite = keras.layers.Dense(channels, activation="sigmoid", dtype=self.dtype_policy)
        self.squeeze.build((input_shape[0], channels))
        self.excite.build((input_shape[0], hidden))

    def call(self, inputs):
        spatial = tuple(range(1, len(inputs.shape) - 1))
        weights = self.excite(self.squeeze(ops.mean(inputs, axis=spatial)))
        # (batch, channels) -> (batch, 1, ..., channels)
        return inputs * weights[(slice(None), *[None] * len(spatial))]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}
