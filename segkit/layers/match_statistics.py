"""Bring features to the mean and spread of others."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.layers.two_tensors import two_tensors


@keras.saving.register_keras_serializable(package="segkit")
class MatchStatistics(keras.layers.Layer):
    """Shift and scale features so that mean and variance are those of a reference, image by image.

    Both are taken over all spatial axes and channels of an image or volume, while training and at inference alike. It
    is the "easy solution" for a bottleneck that shrinks compared with its skip, which feature random enhancement is
    meant to better: nothing is left to learn about the ratio of the two.

    Args:
        epsilon: Added to both variances, not negative; above 0 an even image does no harm.

    Call arguments:
        inputs: Two tensors, features and reference, both ``(batch, ..., channels)`` with the same number of axes;
            channels may differ.

    Returns:
        Tensor of the shape of the features.

    Raises:
        ValueError: If ``epsilon`` is negative, or the layer is not called with two tensors.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Sec. 3.1. That the
        statistics are an image's, not a channel's, is our reading: bottleneck and skip have no channels in common.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"`epsilon` must not be negative. Received: epsilon={epsilon!r}")
        self.epsilon = epsilon

    def call(self, inputs):
        # Variances over a whole image need float32.
        features, reference = (ops.cast(tensor, "float32") for tensor in two_tensors(type(self).__name__, inputs))
        axes = tuple(range(1, len(features.shape)))  # all but the batch
        mean, variance = ops.moments(features, axes, keepdims=True)
        wanted_mean, wanted_variance = ops.moments(reference, axes, keepdims=True)
        scale = ops.sqrt((wanted_variance + self.epsilon) / (variance + self.epsilon))
        return ops.cast((features - mean) * scale + wanted_mean, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
