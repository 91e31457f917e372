import keras
import numpy as np

from segkit.layers import ConvPairSE


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_two_convolutions_come_first_and_squeeze_and_excitation_last():
    keras.utils.set_random_seed(0)
    layer, inputs = (
        ConvPairSE(4, kernel_size=1, reduction=2),
        np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32"),
    )
    layer.build(inputs.shape)
    rng = np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(rng.uniform(0.2, 1.0, weight.shape))
    found = keras.ops.convert_to_numpy(layer(inputs, training=False))
    x = inputs.astype(float)
    for part in (layer.first, layer.second):
        kernel, bias = (np.asarray(weight, float) for weight in part.conv.weights)
        gamma, beta, mean, variance = (
            np.asarray(getattr(part.norm, n), float) for n in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        x = np.maximum(((x @ kernel[0, 0] + bias) - mean) / np.sqrt(variance + part.norm.epsilon) * gamma + beta, 0)
    squeeze, squeeze_bias, excite, excite_bias = (np.asarray(w, float) for w in layer.squeeze_excite.weights)
    weights = sigmoid(np.maximum(x.mean(axis=(1, 2)) @ squeeze + squeeze_bias, 0) @ excite + excite_bias)
    np.testing.assert_allclose(found, x * weights[:, None, None], rtol=2e-4)
