"""What Keras asks of every layer: its shapes are known in advance, it infers by default, its settings come back."""

import keras
import numpy as np
import pytest

from segkit import layers

SIZE, CHANNELS = (8, 12), 4
CASES = {
    "ConvBNReLU": (lambda: layers.ConvBNReLU(3, strides=2), 1),
    "ConvPairSE": (lambda: layers.ConvPairSE(6, reduction=2), 1),
    "EncoderBlock": (lambda: layers.EncoderBlock(6), 1),
    "FREnhance": (lambda: layers.FREnhance(num_enhanced=2, gain=50.0, redraw=1, seed=0), 1),
    "FusedBatchNorm": (lambda: layers.FusedBatchNorm(), 1),
    "FusionBlock": (lambda: layers.FusionBlock(5, factors=((3, 2), 1)), ((8, 12), (24, 24))),
    "LinearUp": (lambda: layers.LinearUp((2, 3)), 1),
    "BilinearUp2D": (lambda: layers.BilinearUp2D((2, 3)), 1),
    "MatchStatistics": (lambda: layers.MatchStatistics(), ((8, 12), (8, 12))),
    "MultiScaleCenter": (lambda: layers.MultiScaleCenter(6, dilation_rates=(1, 2)), 1),
    "ResizeLike": (lambda: layers.ResizeLike(), ((8, 12), (5, 7))),
    "ResizeTo": (lambda: layers.ResizeTo(5, 7), 1),
    "SqueezeExcite": (lambda: layers.SqueezeExcite(2), 1),
}


def inputs_of(sizes):
    """Return one tensor, or a list of them."""
    rng = np.random.default_rng(0)
    made = [rng.normal(size=(2, *size, CHANNELS)).astype("float32") for size in ([SIZE] if sizes == 1 else sizes)]
    return made[0] if sizes == 1 else made


def shapes(tensors):
    return [tuple(tensor.shape) for tensor in tensors] if isinstance(tensors, (list, tuple)) else tuple(tensors.shape)


def as_list(tensors):
    return [keras.ops.convert_to_numpy(one) for one in (tensors if isinstance(tensors, (list, tuple)) else [tensors])]


def listed(found):
    """Return a shape, or several, as tuples."""
    return [tuple(one) for one in found] if isinstance(found[0], (list, tuple)) else tuple(found)


def test_all_layers_are_here():
    assert set(CASES) == {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}


@pytest.mark.parametrize("name", CASES)
def test_the_shape_of_the_output_is_known_in_advance(name):
    make, sizes = CASES[name]
    inputs = inputs_of(sizes)
    layer = make()
    assert listed(layer.compute_output_shape(shapes(inputs))) == shapes(layer(inputs))


@pytest.mark.parametrize("name", sorted(set(CASES) - {"ResizeTo", "ResizeLike"}))
def test_unknown_sizes_stay_unknown(name):
    make, sizes = CASES[name]
    known = shapes(make()(inputs_of(sizes)))
    open_shape = lambda shape: (None, None, None, shape[-1])  # noqa: E731
    given = shapes(inputs_of(sizes))
    given = [open_shape(one) for one in given] if isinstance(given, list) else open_shape(given)
    expected = [open_shape(one) for one in known] if isinstance(known, list) else open_shape(known)
    assert listed(make().compute_output_shape(given)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_layer_that_is_called_alone_infers(name):
    make, sizes = CASES[name]
    layer, inputs = make(), inputs_of(sizes)
    for found, expected in zip(as_list(layer(inputs)), as_list(layer(inputs, training=False)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_settings_come_back(name):
    make, sizes = CASES[name]
    layer, inputs = make(), inputs_of(sizes)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for one in (layer, again):
        one(inputs)
    again.set_weights(layer.get_weights())
    for found, expected in zip(as_list(again(inputs)), as_list(layer(inputs)), strict=True):
        np.testing.assert_array_equal(found, expected)
