"""SegET's encoder block."""

from __future__ import annotations

from typing import Any

import keras

from segkit.layers.conv_bn_relu import ConvBNReLU


@keras.saving.register_keras_serializable(package="segkit")
class EncoderBlock(keras.layers.Layer):
    """Extract features, hand some on as a skip, and halve the resolution by a strided convolution.

    Four 3 x 3 convolutions: two of ``filters``, one that reduces the channels to ``filters // 2`` and is the skip,
    and one of ``filters`` with stride 2, which takes the place of pooling.

    Args:
        filters: Number of channels, at least 2.
        l2: Strength of the L2 penalty on every kernel.

    Call arguments:
        inputs: Tensor, shape ``(batch, y, x, channels)``.
        training: As in batch normalisation.

    Returns:
        Tuple ``(down, skip)`` of shapes ``(batch, ceil(y / 2), ceil(x / 2), filters)`` and
        ``(batch, y, x, filters // 2)``.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2.1. That the third convolution halves the channels and lies in the main
        chain is our reading of Fig. 2.
    """

    def __init__(self, filters: int, *, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if filters < 2:
            raise ValueError(f"`filters` must be at least 2. Received: filters={filters!r}")
        self.filters = filters
        self.l2 = l2
        self.first = ConvBNReLU(filters, l2=l2, dtype=self.dtype_policy)
        self.second = ConvBNReLU(filters, l2=l2, dtype=self.dtype_policy)
        self.reduce = ConvBNReLU(filters // 2, l2=l2, dtype=self.dtype_policy)
        self.down = ConvBNReLU(filters, strides=2, l2=l2, dtype=self.dtype_policy)

    def build(self, input_shape):
        shape = input_shape
        for layer in (self.first, self.second, self.reduce, self.down):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs, training=False):
        features = self.second(self.first(inputs, training=training), training=training)
        skip = self.reduce(features, training=training)
        return self.down(skip, training=training), skip

    def compute_output_shape(self, input_shape):
        skip = (*input_shape[:-1], self.filters // 2)
        return self.down.compute_output_shape(skip), skip

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "l2": self.l2}
