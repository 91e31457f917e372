"""SegET's encoder block."""

from __future__ import annotations

from typing import Any

import keras

from segkit.arguments import finite_number, whole_number
from segkit.geometry.per_axis import PerAxis, positive_per_axis
from segkit.layers.conv_bn_relu import ConvBNReLU


@keras.saving.register_keras_serializable(package="segkit")
class EncoderBlock(keras.layers.Layer):
    """Extract features, pass some on as a skip, and halve the resolution by a strided convolution.

    Four convolutions: two of ``filters``, one that reduces the channels to ``filters // 2`` and is the skip, and a
    strided one of ``filters``, which takes the place of pooling.

    Args:
        filters: Number of channels, at least 2.
        kernel_size: Side of every kernel [px], or one per axis.
        strides: Step of the last convolution [px], or one per axis: ``(1, 2, 2)`` leaves the resolution along z.
        l2: Strength of the L2 penalty on every kernel.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, of one to three spatial axes.
        training: As in batch normalisation.

    Returns:
        Tuple ``(down, skip)``: ``ceil(size / strides)`` along every spatial axis and ``filters`` channels, and the
        sizes of the input and ``filters // 2`` channels.

    Raises:
        ValueError: If ``filters`` is less than 2, or another argument is out of range.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2.1. That the third convolution halves the channels and is in the main
        chain is our reading of Fig. 2.
    """

    def __init__(
        self, filters: int, *, kernel_size: PerAxis = 3, strides: PerAxis = 2, l2: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters = whole_number("filters", filters, least=2)
        self.kernel_size = positive_per_axis("kernel_size", kernel_size)
        self.strides = positive_per_axis("strides", strides)
        self.l2 = l2 = finite_number("l2", l2)
        conv = {"kernel_size": self.kernel_size, "l2": l2, "dtype": self.dtype_policy}
        self.first = ConvBNReLU(filters, **conv)
        self.second = ConvBNReLU(filters, **conv)
        self.reduce = ConvBNReLU(filters // 2, **conv)
        self.down = ConvBNReLU(filters, strides=self.strides, **conv)

    def build(self, input_shape):
        shape = input_shape
        for layer in (self.first, self.second, self.reduce, self.down):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs, training=False):
        features = self.second(self.first(inputs, training=training), training=training)
        # The reduced features are both the skip and what the next level is made of.
        skip = self.reduce(features, training=training)
        return self.down(skip, training=training), skip

    def compute_output_shape(self, input_shape):
        skip = (*input_shape[:-1], self.filters // 2)
        return self.down.compute_output_shape(skip), skip

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "l2": self.l2,
        }
