"""SegET's center: one feature map seen through several receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from segkit.arguments import finite_number, sequence, whole_number
from segkit.geometry.per_axis import PerAxis, positive_per_axis
from segkit.layers.conv_bn_relu import ConvBNReLU


@keras.saving.register_keras_serializable(package="segkit")
class MultiScaleCenter(keras.layers.Layer):
    """Extract features, process them at several dilations in parallel, and mix the results.

    Two convolutions give ``E``; one dilated convolution per rate runs on ``E``; the branches and ``E`` itself are
    concatenated and mixed by a convolution whose kernel is one position.

    Args:
        filters: Number of channels of every convolution, positive.
        dilation_rates: Spacing of each branch's taps [px of this level]: a number, or one per axis. Defaults to
            ``(1, 2, 4, 8)``.
        kernel_size: Side of every kernel but the last [px], or one per axis.
        l2: Strength of the L2 penalty on every kernel.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, of one to three spatial axes.
        training: As in batch normalisation.

    Returns:
        Tensor, shape ``(batch, ..., filters)``.

    Raises:
        ValueError: If an argument is out of range, or ``dilation_rates`` is empty or holds a rate below 1.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2.3. The paper's scale "0" is read as rate 1, an ordinary convolution.
    """

    def __init__(
        self,
        filters: int,
        *,
        dilation_rates: Sequence[PerAxis] = (1, 2, 4, 8),
        kernel_size: PerAxis = 3,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dilation_rates = sequence("dilation_rates", dilation_rates)
        if not dilation_rates:
            raise ValueError(f"`dilation_rates` must hold at least one rate. Received: {dilation_rates!r}")
        self.filters = filters = whole_number("filters", filters, least=1)
        self.dilation_rates = tuple(positive_per_axis("dilation_rates", rate) for rate in dilation_rates)
        self.kernel_size = positive_per_axis("kernel_size", kernel_size)
        self.l2 = l2 = finite_number("l2", l2)
        conv = {"kernel_size": self.kernel_size, "l2": l2, "dtype": self.dtype_policy}
        self.first = ConvBNReLU(filters, **conv)
        self.second = ConvBNReLU(filters, **conv)
        self.branches = [ConvBNReLU(filters, dilation_rate=rate, **conv) for rate in self.dilation_rates]
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
        # Sec. 2.3: the branches "together with the input encoded feature maps".
        return self.mix(keras.ops.concatenate([*views, features], axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "dilation_rates": self.dilation_rates,
            "kernel_size": self.kernel_size,
            "l2": self.l2,
        }
