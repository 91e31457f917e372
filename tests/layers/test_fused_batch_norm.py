"""The fused layer is Keras's own: outputs, gradients, moving statistics, and where it steps aside."""

import keras
import numpy as np
import pytest
from keras import ops

from segkit.layers import FusedBatchNorm

X = np.random.default_rng(0).normal(3.0, 2.0, (4, 6, 5, 3)).astype("float32")


def pair(**arguments):
    layers = [kind(dtype="float32", **arguments) for kind in (FusedBatchNorm, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.build(X.shape)
        if layer.gamma is not None:
            layer.gamma.assign([0.5, 1.0, 2.0])
    return layers


def trained(layer, steps=4):
    """Return losses and weights of some steps of a network that begins with the layer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(X.shape[1:]), layer, keras.layers.Conv2D(1, 3), keras.layers.ReLU()])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    losses = [float(model.train_on_batch(X, np.ones((4, 4, 3, 1), "float32"))) for _ in range(steps)]
    return losses, [ops.convert_to_numpy(weight) for weight in layer.weights]


ALIKE = [{}, {"momentum": 0.5, "epsilon": 0.1}, {"renorm": True}, {"scale": False, "center": False}, {"axis": 1}]


@pytest.mark.parametrize("arguments", ALIKE, ids=str)
def test_training_is_that_of_keras(arguments):
    if arguments.get("axis") == 1:
        layers = [kind(**arguments) for kind in (FusedBatchNorm, keras.layers.BatchNormalization)]
    else:
        layers = pair(**arguments)
    (losses, weights), (expected_losses, expected_weights) = map(trained, layers)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    for mine, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)


def test_inference_is_that_of_keras():
    mine, other = pair()
    for layer in (mine, other):
        layer(X, training=True)
    np.testing.assert_allclose(mine(X, training=False), other(X, training=False), rtol=1e-4, atol=1e-5)


def test_statistics_are_float32_under_bfloat16():
    layer = FusedBatchNorm(momentum=0.0, dtype="mixed_bfloat16")
    outputs = layer(X + 100, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    seen = ops.convert_to_numpy(ops.cast(ops.cast(X + 100, "bfloat16"), "float32")).astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean, seen.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, seen.var((0, 1, 2)), rtol=1e-2)


def test_a_frozen_layer_and_another_rank_are_left_to_keras():
    frozen = FusedBatchNorm()
    frozen.build(X.shape)
    frozen.trainable = False
    np.testing.assert_allclose(frozen(X, training=True), X / np.sqrt(1 + 1e-3), rtol=1e-5)
    flat = X.reshape(-1, 3)
    np.testing.assert_allclose(
        FusedBatchNorm()(flat, training=True), keras.layers.BatchNormalization()(flat, training=True), rtol=1e-5
    )
