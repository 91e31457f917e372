import keras
import numpy as np
import pytest

from segkit.layers import SqueezeExcite


def built(channels, **arguments):
    keras.utils.set_random_seed(0)
    layer = SqueezeExcite(**arguments)
    layer.build((None, None, None, channels))
    return layer


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_every_channel_is_multiplied_by_a_weight_of_its_own_between_0_and_1():
    inputs, layer, rng = images(2, 5, 7, 8), built(8, reduction=2), np.random.default_rng(1)
    kernel, _, *excite = (rng.normal(size=weight.shape) for weight in layer.get_weights())
    layer.set_weights([kernel, np.full(4, 2.0), *excite])  # no hidden unit is off, whatever the backend draws
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    weights = outputs / inputs
    np.testing.assert_allclose(weights, np.broadcast_to(weights[:, :1, :1], weights.shape), rtol=1e-4)
    assert 0 < weights.min() < weights.max() < 1
    assert len(np.unique(weights[:, 0, 0].round(5))) == 16  # of two images, eight channels each


def test_the_weights_see_the_means_of_the_channels_alone():
    layer, inputs = built(8, reduction=2), images(1, 4, 6, 8)
    shuffled = inputs.reshape(1, 24, 8)[:, np.random.default_rng(1).permutation(24)].reshape(inputs.shape)
    weights = [keras.ops.convert_to_numpy(layer(x)) / x for x in (inputs, shuffled)]
    np.testing.assert_allclose(weights[0][0, 0, 0], weights[1][0, 0, 0], rtol=1e-4)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_the_weights_are_those_of_the_paper():
    layer, inputs, rng = built(6, reduction=2), images(2, 3, 5, 6), np.random.default_rng(2)
    squeeze, squeeze_bias, excite, excite_bias = values = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(values)
    means = inputs.astype(float).mean(axis=(1, 2))
    weights = sigmoid(np.maximum(means @ squeeze + squeeze_bias, 0) @ excite + excite_bias)
    assert (means @ squeeze + squeeze_bias).min() < 0 < (means @ squeeze + squeeze_bias).max()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(inputs)), inputs * weights[:, None, None], rtol=2e-4)


def test_without_weights_every_channel_is_halved():
    layer, inputs = built(4, reduction=2), images(1, 3, 3, 4)
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(inputs)), inputs / 2, rtol=1e-6)


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(32, 16, 2), (8, 16, 1), (6, 4, 1)])
def test_the_first_dense_layer_is_smaller_and_never_empty(channels, reduction, hidden):
    assert built(channels, reduction=reduction).squeeze.units == hidden


def test_a_reduction_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`reduction` must be a positive whole number"):
        SqueezeExcite(0)
