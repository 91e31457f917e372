"""Feature maps of several resolutions, brought to one and mixed: SegET's decoder block and its context fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from segkit.arguments import finite_number, sequence, true_or_false, whole_number
from segkit.geometry.per_axis import PerAxis, along_axes, positive_per_axis
from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.equal_sizes import check_equal_sizes
from segkit.layers.known_channels import known_channels
from segkit.ops.linear_up import linear_up


@keras.saving.register_keras_serializable(package="segkit")
class FusionBlock(keras.layers.Layer):
    """Upsample each input by its factor, concatenate, and refine by two convolutions.

    With factors ``(2, 1)`` on ``[coarse, skip]`` it is SegET's decoder block; with ``(4, 2, 1)`` and ``(1, 2)`` it is
    the two steps of the multi-level context fusion.

    Args:
        filters: Number of output channels, positive.
        factors: Whole upsampling factor of each input: a number, or one per axis. Defaults to ``(2, 1)``.
        kernel_size: Side of both kernels [px], or one per axis.
        l2: Strength of the L2 penalty on both kernels.
        use_bias: Add biases before the normalisation, for networks whose published parameter count holds them.

    Call arguments:
        inputs: List of tensors ``(batch, ..., c_i)``, one per factor; sizes times factors are the same for all.
        training: As in batch normalisation.

    Returns:
        Tensor, shape ``(batch, ..., filters)``.

    Raises:
        ValueError: If an argument is out of range, ``factors`` is empty or holds one below 1, there is not one input
            per factor, sizes times factors are known and not the same, or a number of channels is unknown.

    Reference:
        Zhang et al. (2019), SegET, Secs. 2.1 and 2.4.
    """

    def __init__(
        self,
        filters: int,
        *,
        factors: Sequence[PerAxis] = (2, 1),
        kernel_size: PerAxis = 3,
        l2: float = 0.0,
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        factors = sequence("factors", factors)
        if not factors:
            raise ValueError(f"`factors` must hold at least one factor. Received: {factors!r}")
        self.filters = filters = whole_number("filters", filters, least=1)
        self.factors = tuple(positive_per_axis("factors", factor) for factor in factors)
        self.kernel_size = positive_per_axis("kernel_size", kernel_size)
        self.l2 = l2 = finite_number("l2", l2)
        self.use_bias = use_bias = true_or_false("use_bias", use_bias)
        conv = {"kernel_size": self.kernel_size, "l2": l2, "use_bias": use_bias, "dtype": self.dtype_policy}
        self.first = ConvBNReLU(filters, **conv)
        self.second = ConvBNReLU(filters, **conv)

    def build(self, input_shape):
        joined = self._joined_shape(input_shape)
        self.first.build(joined)
        self.second.build((*joined[:-1], self.filters))

    def call(self, inputs, training=False):
        # Refuses a single tensor, which would come apart along its batch, and sizes that do not meet.
        self._joined_shape([x.shape for x in inputs] if isinstance(inputs, (list, tuple)) else inputs.shape)
        # All at the size of the output, joined along the channels.
        raised = [linear_up(x, factor) for x, factor in zip(inputs, self.factors, strict=True)]
        joined = keras.ops.concatenate(raised, axis=-1)
        return self.second(self.first(joined, training=training), training=training)

    def compute_output_shape(self, input_shape):
        return (*self._joined_shape(input_shape)[:-1], self.filters)

    def _joined_shape(self, input_shape):
        is_single = any(size is None or isinstance(size, int) for size in input_shape)
        if is_single or len(input_shape) != len(self.factors):
            found = "a single tensor" if is_single else f"{len(input_shape)} tensors"
            raise ValueError(f"`inputs` must be one tensor per factor. Received: {found}, factors={self.factors}")
        raised = [_raised(shape[1:-1], factor) for shape, factor in zip(input_shape, self.factors, strict=True)]
        check_equal_sizes(self.name, "sizes times factors", raised)
        return (input_shape[0][0], *raised[0], sum(known_channels(self.name, shape) for shape in input_shape))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "factors": self.factors,
            "kernel_size": self.kernel_size,
            "l2": self.l2,
            "use_bias": self.use_bias,
        }


def _raised(sizes: Sequence[int | None], factor: PerAxis) -> tuple[int | None, ...]:
    """Return sizes times factors; an unknown size stays ``None``."""
    factors = along_axes("factors", factor, len(sizes))
    return tuple(size * f if isinstance(size, int) else None for size, f in zip(sizes, factors, strict=True))
