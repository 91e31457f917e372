"""Feature maps of several resolutions, brought to one and mixed: SegET's decoder block and its context fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.ops.bilinear_up import bilinear_up


@keras.saving.register_keras_serializable(package="segkit")
class FusionBlock(keras.layers.Layer):
    """Upsample each input by its factor, concatenate, and refine by two 3 x 3 convolutions.

    With factors ``(2, 1)`` on ``[coarse, skip]`` it is SegET's decoder block; with ``(4, 2, 1)`` and ``(1, 2)`` it is
    the two steps of the multi-level context fusion.

    Args:
        filters: Number of output channels, positive.
        factors: Whole upsampling factor of each input. Defaults to ``(2, 1)``.
        l2: Strength of the L2 penalty on both kernels.
        use_bias: Add biases before the normalisation, for networks whose published parameter count holds them.

    Call arguments:
        inputs: List of tensors, one a factor, the ``i``-th of shape ``(batch, y / factors[i], x / factors[i], c_i)``.
        training: As in batch normalisation.

    Returns:
        Tensor, shape ``(batch, y, x, filters)``.

    Raises:
        ValueError: If ``factors`` is empty or holds one below 1, or if the inputs are not one a factor.

    Reference:
        Zhang et al. (2019), SegET, Secs. 2.1 and 2.4.
    """

    def __init__(
        self,
        filters: int,
        *,
        factors: Sequence[int] = (2, 1),
        l2: float = 0.0,
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not factors or min(factors) < 1:
            raise ValueError(f"`factors` must hold at least one factor, each >= 1. Received: {factors!r}")
        self.filters = filters
        self.factors = tuple(factors)
        self.l2 = l2
        self.use_bias = use_bias
        self.first = ConvBNReLU(filters, l2=l2, use_bias=use_bias, dtype=self.dtype_policy)
        self.second = ConvBNReLU(filters, l2=l2, use_bias=use_bias, dtype=self.dtype_policy)

    def build(self, input_shape):
        joined = self._joined_shape(input_shape)
        self.first.build(joined)
        self.second.build((*joined[:-1], self.filters))

    def call(self, inputs, training=False):
        raised = [bilinear_up(x, factor) for x, factor in zip(inputs, self.factors, strict=True)]
        joined = keras.ops.concatenate(raised, axis=-1)
        return self.second(self.first(joined, training=training), training=training)

    def compute_output_shape(self, input_shape):
        return (*self._joined_shape(input_shape)[:-1], self.filters)

    def _joined_shape(self, input_shape):
        if len(input_shape) != len(self.factors):
            raise ValueError(
                f"`inputs` must be one tensor a factor. Received: {len(input_shape)} tensors, factors={self.factors}"
            )
        batch, y, x, _ = input_shape[0]
        factor = self.factors[0]
        return (batch, y and y * factor, x and x * factor, sum(shape[-1] for shape in input_shape))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "factors": self.factors,
            "l2": self.l2,
            "use_bias": self.use_bias,
        }
