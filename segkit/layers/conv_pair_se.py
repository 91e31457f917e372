"""The block of the U-Net with squeeze and excitation."""

from __future__ import annotations

from typing import Any

import keras

from segkit.geometry.per_axis import PerAxis, positive_per_axis
from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.squeeze_excite import SqueezeExcite


@keras.saving.register_keras_serializable(package="segkit")
class ConvPairSE(keras.layers.Layer):
    """Two convolutions with normalisation and ReLU, then squeeze and excitation.

    Args:
        filters: Number of channels, positive.
        kernel_size: Side of both kernels [px], or one per axis.
        reduction: As in ``SqueezeExcite``.
        normalization: ``"batch"`` or ``"renorm"``.
        l2: Strength of the L2 penalty on the kernels of the convolutions.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, of one to three spatial axes.
        training: As in batch normalisation.

    Returns:
        Tensor, shape ``(batch, ..., filters)``, not negative.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Fig. 4.
    """

    def __init__(
        self,
        filters: int,
        *,
        kernel_size: PerAxis = 3,
        reduction: int = 16,
        normalization: str = "batch",
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = positive_per_axis("kernel_size", kernel_size)
        self.reduction = reduction
        self.normalization = normalization
        self.l2 = l2
        conv = {"l2": l2, "use_bias": True, "normalization": normalization, "dtype": self.dtype_policy}
        self.first = ConvBNReLU(filters, self.kernel_size, **conv)
        self.second = ConvBNReLU(filters, self.kernel_size, **conv)
        self.squeeze_excite = SqueezeExcite(reduction, dtype=self.dtype_policy)

    def build(self, input_shape):
        shape = input_shape
        for layer in (self.first, self.second, self.squeeze_excite):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs, training=False):
        return self.squeeze_excite(self.second(self.first(inputs, training=training), training=training))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "reduction": self.reduction,
            "normalization": self.normalization,
            "l2": self.l2,
        }
