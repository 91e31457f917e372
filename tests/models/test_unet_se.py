"""The U-Net with squeeze and excitation: its parameters, its outputs, what stands in its bottleneck."""

import keras
import numpy as np
import pytest
from keras import ops

from segkit.layers import FREnhance
from segkit.models import unet_se

PAPER = {"input_shape": (256, 256, 3), "num_classes": 3}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="compiles an initializer for every shape")
def test_parameters_of_the_paper():
    assert unet_se(**PAPER).count_params() == 13_493_055
    assert unet_se(**PAPER, filters=(64, 128, 256, 512)).count_params() == 6_070_799


def test_enhancement_dropout_and_matching_add_nothing_to_train():
    plain = unet_se(num_classes=3, filters=(4, 8, 8))
    layers = [FREnhance(2, 250.0), keras.layers.Dropout(0.2)]
    other = unet_se(num_classes=3, filters=(4, 8, 8), bottleneck=layers, match_skip=True)
    count = [sum(int(np.prod(v.shape)) for v in model.trainable_variables) for model in (plain, other)]
    assert count[0] == count[1]


@pytest.mark.parametrize("side", [8, 20])
def test_any_size_and_classes(side):
    model = unet_se((None, None, 2), 4, filters=(2, 4, 4), supervision=True)
    outputs = model(np.zeros((1, side, side, 2), "float32"))
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "logits": (1, side, side, 4),
        "deep_logits": (1, side, side, 4),
    }


def test_levels_are_halved_by_the_maximum_and_doubled_bilinearly():
    model = unet_se(num_classes=2, filters=(2, 4, 8))
    names = ("encoder_1", "pool_1", "up_2")
    outputs = [model.get_layer(name).output for name in names]
    part = keras.Model(model.input, [*outputs, model.get_layer("up_2").input])
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    encoded, pooled, doubled, deep = (ops.convert_to_numpy(tensor) for tensor in part(images))
    np.testing.assert_array_equal(pooled, encoded.reshape(2, 8, 2, 8, 2, 2).max(axis=(2, 4)))
    # Between two pixels at a quarter and three quarters; the first row lies beyond the centre of the first pixel.
    between = 0.75 * deep[:, :-1, :-1] + 0.25 * deep[:, 1:, :-1]
    across = 0.75 * deep[:, :-1, 1:] + 0.25 * deep[:, 1:, 1:]
    np.testing.assert_allclose(doubled[:, 1:-1:2, 1:-1:2], 0.75 * between + 0.25 * across, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(doubled[:, 0, 0], deep[:, 0, 0], rtol=1e-4, atol=1e-6)


def test_the_bottleneck_stands_at_the_end_of_the_encoder():
    layer = FREnhance(2, 250.0)
    model = unet_se(num_classes=2, filters=(2, 4, 8), bottleneck=layer)
    assert layer.input is model.get_layer("encoder_3").output
    assert layer.output is model.get_layer("up_2").input


def test_matched_features_have_the_mean_and_spread_of_the_skip():
    keras.utils.set_random_seed(0)
    model = unet_se(num_classes=2, filters=(2, 4, 8), match_skip=True)
    part = keras.Model(model.input, [model.get_layer("match_skip").output, model.get_layer("encoder_2").output])
    # So large that the layer's epsilon is nothing beside the variances.
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1), scale=1000).astype("float32")
    matched, skip = (ops.convert_to_numpy(tensor) for tensor in part(images))
    np.testing.assert_allclose(matched.mean((1, 2, 3)), skip.mean((1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(matched.std((1, 2, 3)), skip.std((1, 2, 3)), rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": (8,)}, r"at least two levels\. Received: filters=\(8,\)"),
        ({"num_classes": 1}, r"at least 2\. Received: num_classes=1"),
        ({"input_shape": (24, 32, 1)}, r"divisible by 16\. Received: \(24, 32, 1\)"),
        ({"normalization": "group"}, r"'batch' or 'renorm'\. Received: normalization='group'"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        unet_se(**arguments)


def test_sizes_that_cannot_be_halved_are_told_when_it_is_called():
    model = unet_se(filters=(2, 4, 4))
    with pytest.raises(ValueError, match=r"join_2: sizes must be the same.*\(14, 14\) and \(15, 15\).*multiple of"):
        model(np.zeros((1, 31, 31, 1), np.float32))
