"""Keras's batch normalisation with a fused training step."""

from __future__ import annotations

import keras

from segkit.ops.batch_normalize import batch_normalize


@keras.saving.register_keras_serializable(package="segkit")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization``, several times faster while training under TensorFlow.

    Arguments, weights and results are those of Keras's layer. What the fused operation does not cover (masks, other
    axes than the last, inputs without a spatial axis, renormalisation, statistics over replicas, no scale or offset)
    is done by Keras.
    """

    def call(self, inputs, training=None, mask=None):
        rank = len(inputs.shape)
        covered = rank > 2 and self.axis in (-1, rank - 1) and self.scale and self.center
        if mask is not None or self.renorm or self.synchronized or not (training and self.trainable and covered):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = batch_normalize(inputs, self.gamma, self.beta, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            # As Keras does it, which the fused operation leaves to the caller.
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return keras.ops.cast(outputs, self.compute_dtype)
