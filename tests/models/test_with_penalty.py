"""A trained network with another penalty."""

import keras
import numpy as np
import pytest

from segkit.models.seget import seget
from segkit.models.with_penalty import with_penalty


def test_penalties_of_blocks_and_of_plain_layers_are_replaced():
    model = seget(filters=(2, 4), dilation_rates=(1,), l2=0.5)
    changed = with_penalty(model, 1e-5)
    assert float(sum(model.losses)) == pytest.approx(5e4 * float(sum(changed.losses)), rel=1e-4)
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    assert len(kernels) == len(changed.losses) > 5
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype("float32")
    np.testing.assert_array_equal(model(image)["logits"], changed(image)["logits"])


def test_the_same_penalty_and_none_at_all_leave_the_model_as_it_is():
    model = seget(filters=(2, 4), dilation_rates=(1,), l2=0.5)
    assert with_penalty(model, 0.5) is model
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert with_penalty(plain, 0.5) is plain
