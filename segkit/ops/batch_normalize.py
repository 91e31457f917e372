"""Normalisation by the batch, in one fused operation where the backend has one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_FUSED_DTYPES = ("bfloat16", "float16", "float32")


def batch_normalize(inputs: Any, scale: Any, offset: Any, epsilon: float = 1e-3) -> tuple[Any, Any, Any]:
    """Normalise each channel by its mean and variance over the batch.

    Statistics and arithmetic are float32. Under TensorFlow it is the fused operation, which Keras does not use: without
    it normalisation is a third of a training step on a CPU.

    Args:
        inputs: Tensor, shape ``(batch, ..., channels)``, at least one spatial axis.
        scale: Factor of each channel, float32, shape ``(channels,)``.
        offset: Summand of each channel, float32, shape ``(channels,)``.
        epsilon: Added to the variance; at least 1.001e-5.

    Returns:
        Tensor of the shape and dtype of ``inputs``; mean and (biased) variance of each channel, float32.
    """
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if keras.backend.backend() == "tensorflow" and dtype in _FUSED_DTYPES:
        import tensorflow as tf  # the one place of the portable packages that knows a backend

        # The operation takes images; statistics do not ask how positions are arranged.
        is_images = len(inputs.shape) == 4
        images = inputs if is_images else ops.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(images, scale, offset, epsilon=epsilon)
        # Number of positions that a channel's statistics are taken over.
        count = ops.cast(ops.size(inputs), "float32") / inputs.shape[-1]
        normalized = normalized if is_images else ops.reshape(normalized, ops.shape(inputs))
        return normalized, mean, variance * (1 - 1 / count)  # TensorFlow's is unbiased
    values = ops.cast(inputs, keras.backend.result_type(dtype, "float32"))
    mean, variance = ops.moments(values, axes=list(range(len(inputs.shape) - 1)))
    normalized = ops.batch_normalization(values, mean, variance, -1, offset=offset, scale=scale, epsilon=epsilon)
    return ops.cast(normalized, inputs.dtype), mean, variance
