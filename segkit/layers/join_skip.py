"""Upsampled features and a skip, joined along the channels."""

from __future__ import annotations

import keras

from segkit.layers.equal_sizes import check_equal_sizes


@keras.saving.register_keras_serializable(package="segkit")
class JoinSkip(keras.layers.Concatenate):
    """Concatenate along the channels, and say which sizes a network takes where sizes differ.

    Args:
        axis: As Keras's ``Concatenate`` has it: the last axis, that of the channels.

    Call arguments:
        inputs: List of tensors ``(batch, ..., c_i)`` of equal sizes.

    Returns:
        Tensor, shape ``(batch, ..., sum(c_i))``.

    Raises:
        ValueError: If sizes are known and differ.
    """

    def call(self, inputs):
        check_equal_sizes(self.name, "sizes", [x.shape[1:-1] for x in inputs])
        return super().call(inputs)
