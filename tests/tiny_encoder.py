"""Encoders of a few layers, for tests that are not about the encoder."""

import keras

from segkit.models.encoders import Encoder


def tiny_network(*, include_top, weights, input_tensor):
    """Build a network of the shape of those in ``keras.applications``."""
    assert not include_top
    assert weights is None
    fine = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="fine")(input_tensor)
    coarse = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="coarse")(fine)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), coarse)


TINY_ENCODER = Encoder(build=tiny_network, cut="coarse", skips=("fine",), weights_file="tiny.h5")


def five_levels(*, include_top, weights, input_tensor):
    """Build a network with as many levels as those of ``keras.applications``, in the place of one of them."""
    assert not include_top
    assert weights is None
    x = input_tensor
    for level in range(1, 6):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name=f"level_{level}")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), x)


FIVE_LEVELS = Encoder(
    build=five_levels, cut="level_4", skips=("level_3", "level_2", "level_1"), weights_file="five_levels.h5"
)
