"""Builders put channels last, whatever Keras is set to."""

import keras
import numpy as np
import pytest

from segkit.models import seget, unet, unet_se


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        (seget, {"filters": (4, 8), "dilation_rates": (1, 2)}),
        (unet, {"filters": (4, 8)}),
        (unet_se, {"filters": (4, 8)}),
    ],
)
def test_channels_come_last_whatever_keras_is_set_to(builder, arguments):
    images, before, found = np.ones((1, 8, 12, 1), "float32"), keras.config.image_data_format(), []
    images[:, 2:5] = 0
    try:
        for order in ("channels_last", "channels_first"):
            keras.config.set_image_data_format(order)
            keras.utils.set_random_seed(3)
            found.append(keras.ops.convert_to_numpy(builder(**arguments)(images)["logits"]))
    finally:
        keras.config.set_image_data_format(before)
    np.testing.assert_array_equal(*found)
