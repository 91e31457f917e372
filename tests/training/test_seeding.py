"""The same seed gives the same networks and draws."""

import random

import keras
import numpy as np
import pytest

from segkit.training.seeding import seed_everything


def drawn(seed):
    seed_everything(seed)
    kernel = keras.layers.Dense(4)
    kernel.build((None, 3))
    return [random.random(), *np.random.normal(size=2), *np.ravel(keras.ops.convert_to_numpy(kernel.kernel))]


def test_one_seed_one_draw_of_python_numpy_and_keras():
    first = drawn(3)
    assert drawn(3) == first
    assert not set(drawn(4)) & set(first)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow has a switch for it")
def test_kernels_that_repeat_are_asked_for_only_on_request(monkeypatch):
    import tensorflow as tf

    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    seed_everything(3)
    assert not asked
    seed_everything(3, deterministic=True)
    assert asked == [True]
