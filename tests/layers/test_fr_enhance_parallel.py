"""Feature random enhancement on two devices: all enhance the same set."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="data parallel training is JAX's")

TWO_DEVICES = "--xla_force_host_platform_device_count=2"
PROGRAM = """
import sys
import jax, keras, numpy as np
from segkit.layers import FREnhance

assert len(jax.devices()) == 2
data = np.random.default_rng(0).normal(size=(40, 8)).astype("float32")
for devices in (1, 2):
    if devices == 2:
        parallel = keras.distribution.DataParallel(devices=jax.devices(), auto_shard_dataset=False)
        keras.distribution.set_distribution(parallel)
    keras.utils.set_random_seed(0)
    layer = FREnhance(3, 4.0, redraw=2, seed=1)
    inputs = keras.Input((8,))
    x = keras.layers.BatchNormalization()(layer(keras.layers.Dense(8)(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(data, data[:, :1], batch_size=8, epochs=1, shuffle=False, verbose=0)
    assert len(model.weights[0].value.sharding.device_set) == devices
    np.savez(f"{devices}.npz", *model.get_weights())
"""


def test_two_devices_train_as_one(tmp_path):
    environment = {**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {TWO_DEVICES}"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = []
    for devices in (1, 2):
        with np.load(tmp_path / f"{devices}.npz") as arrays:
            found.append(list(arrays.values()))
    enhanced = [values for values in found[0] if values.shape == (8,) and set(np.unique(values)) == {0.0, 1.0}]
    assert len(enhanced) == 1
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
