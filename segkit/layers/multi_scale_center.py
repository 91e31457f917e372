"""SegET's center: one feature map seen through several receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from segkit.layers.conv_bn_relu import ConvBNReLU


@keras.saving.register_keras_serializable(package="segkit")
class MultiScaleCenter(keras.layers.Layer):
    """Extract features, look at them at several dilations side by side, and mix the views.

    Two 3 x 3 convolutions give ``E``; one dilated 3 x 3 convolution a rate runs on ``E``; the branches and ``E``
    itself are concatenated and mixed by a 1 x 1 convolution.

    Args:
        filters: Number of channels of every convolution, positive.
        dilation_rates: Spacing of each branch's taps [px of this level]. Defaults to ``(1, 2, 4, 8)``.
        l2: Strength of the L2 penalty on every kernel.

    Call arguments:
        inputs: Tensor, shape ``(batch, y, x, channels)``.
        training: As in batch normalisation.

    Returns:
        Tensor, shape ``(batch, y, x, filters)``.

    Raises:
        ValueError: If ``dilation_rates`` is empty or holds a rate below 1.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2.3. The paper's scale "0" is read as rate 1, an ordinary convolution.
    """

    def __init__(
        self, filters: int, *, dilation_rates: Sequence[int] = (1, 2, 4, 8), l2: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not dilation_rates or min(dilation_rates) < 1:
            raise ValueError(f"`dilation_rates` must hold at least one rate, each >= 1. Received: {dilation_rates!r}")
        self.filters = filters
        self.dilation_rates = tuple(dilation_rates)
        self.l2 = l2
        self.first = ConvBNReLU(filters, l2=l2, dtype=self.dtype_policy)
        self.second = ConvBNReLU(filters, l2=l2, dtype=self.dtype_policy)
        self.branches = [
            ConvBNReLU(filters, dilation_rate=rate, l2=l2, dtype=self.dtype_policy) for rate in self.dilation_rates
        ]
        self.mix = ConvBNReLU(filters, kernel_size=1, l2=l2, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.first.build(input_shape)
        shape = (*input_shape[:-1], self.filters)
        self.second.build(shape)
        for branch in self.branches:
            branch.build(shape)
        self.mix.build((*input_shape[:-1], self.filters * (len(self.branches) + 1)))

    def call(self, inputs, training=False):
        features = self.second(self.first(inputs, training=training), training=training)
        views = [branch(features, training=training) for branch in self.branches]
        return self.mix(keras.ops.concatenate([*views, features], axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "dilation_rates": self.dilation_rates,
            "l2": self.l2,
        }
