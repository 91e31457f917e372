"""Convolution, batch normalisation, ReLU: the step that every block is made of."""

from __future__ import annotations

from typing import Any

import keras

from segkit.arguments import finite_number, plain, true_or_false, whole_number
from segkit.geometry.per_axis import PerAxis, along_axes, positive_per_axis
from segkit.layers.convolution import convolution
from segkit.layers.fused_batch_norm import FusedBatchNorm
from segkit.layers.known_channels import known_channels

_RENORM_CLIPPING = {"rmin": 1 / 3, "rmax": 3.0, "dmax": 5.0}  # Ioffe (2017), Batch Renormalization, Sec. 4


@keras.saving.register_keras_serializable(package="segkit")
class ConvBNReLU(keras.layers.Layer):
    """Convolve, normalise over the batch, rectify.

    The shape of the input decides whether lines, images or volumes are convolved. By default the convolution has no
    bias: batch normalisation would cancel it.

    Args:
        filters: Number of output channels, positive.
        kernel_size: Side of the kernel [px], or one per axis.
        strides: Step of the kernel [px], or one per axis; 2 halves the resolution.
        dilation_rate: Spacing of the kernel's taps [px], or one per axis; 1 is an ordinary convolution.
        l2: Strength of the L2 penalty on the kernel, not negative.
        use_bias: Add a bias all the same, for networks whose published parameter count holds one.
        normalization: ``"batch"``, or ``"renorm"`` for batch renormalisation, which normalises by moving statistics
            while training too.

    Call arguments:
        inputs: Tensor, shape ``(batch, ..., channels)``, of one to three spatial axes.
        training: Use the statistics of the batch if true, the moving ones otherwise.

    Returns:
        Tensor of ``ceil(size / strides)`` along every spatial axis and ``filters`` channels, not negative.

    Raises:
        ValueError: If an argument is out of range or of another type, the input has another number of spatial axes, or
            its number of channels is unknown.

    Reference:
        Zhang et al. (2019), SegET, Sec. 2.1.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis = 3,
        *,
        strides: PerAxis = 1,
        dilation_rate: PerAxis = 1,
        l2: float = 0.0,
        use_bias: bool = False,
        normalization: str = "batch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if finite_number("l2", l2) < 0:
            raise ValueError(f"`l2` must not be negative. Received: l2={l2!r}")
        if normalization not in ("batch", "renorm"):
            raise ValueError(f"`normalization` must be 'batch' or 'renorm'. Received: normalization={normalization!r}")
        self.filters = whole_number("filters", filters, least=1)
        self.kernel_size = positive_per_axis("kernel_size", kernel_size)
        self.strides = positive_per_axis("strides", strides)
        self.dilation_rate = positive_per_axis("dilation_rate", dilation_rate)
        self.l2 = plain(l2)
        self.use_bias = true_or_false("use_bias", use_bias)
        self.normalization = normalization
        # The number of axes is known in `build`; the seed is drawn here, in the order in which layers are constructed.
        self.kernel_initializer = keras.initializers.HeNormal()

    def build(self, input_shape):
        known_channels(self.name, input_shape)
        self.conv = convolution(len(input_shape) - 2)(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            dilation_rate=self.dilation_rate,
            padding="same",
            data_format="channels_last",
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
            dtype=self.dtype_policy,
        )
        # Keras's 0.99 lags by hundreds of steps, which makes the scores of the first epochs meaningless.
        renorm = {"renorm": True, "renorm_momentum": 0.95, "renorm_clipping": _RENORM_CLIPPING}
        self.norm = FusedBatchNorm(
            momentum=0.95, dtype=self.dtype_policy, **(renorm if self.normalization == "renorm" else {})
        )
        self.conv.build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs, training=False):
        return keras.ops.relu(self.norm(self.conv(inputs), training=training))

    def compute_output_shape(self, input_shape):
        batch, *sizes, _ = input_shape
        strides = along_axes("strides", self.strides, len(sizes))
        # An unknown size stays `None`.
        return (batch, *(size and -(-size // step) for size, step in zip(sizes, strides, strict=True)), self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "l2": self.l2,
            "use_bias": self.use_bias,
            "normalization": self.normalization,
        }
