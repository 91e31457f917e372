import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segkit.layers.linear_up import LinearUp
from segkit.ops.linear_up import _stretch, linear_up


def array(result):
    return keras.ops.convert_to_numpy(result)


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([2, 3, 4]), st.integers(0, 2**31))
def test_unknown_sizes_give_what_known_ones_give(y, x, factor, seed):
    inputs = np.random.default_rng(seed).normal(size=(2, y, x, 3)).astype("float32")
    stretched = _stretch(_stretch(inputs, factor, axis=1), factor, axis=2)
    # Four products and three sums a pixel, each rounded once.
    rounding = 8 * np.finfo("float32").eps * np.abs(inputs).max()
    np.testing.assert_allclose(array(stretched), array(linear_up(inputs, factor)), rtol=0, atol=rounding)


def test_a_row_by_eye():
    row = np.array([0.0, 4.0, 8.0], np.float32).reshape(1, 1, 3, 1)
    assert array(linear_up(row, 2))[0, 0, :, 0].tolist() == [0, 1, 3, 5, 7, 8]


def test_keeps_the_precision_of_its_input():
    for size in ((1, 2, 2, 1), (1, 3, 2, 1)):
        half = keras.ops.cast(np.ones(size, np.float32), "bfloat16")
        assert keras.backend.standardize_dtype(linear_up(half, 2).dtype) == "bfloat16"


def test_works_where_height_and_width_are_unknown():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, LinearUp(2)(inputs))
    for size in (3, 5):
        assert model.predict_on_batch(np.ones((1, size, size + 1, 2), np.float32)).shape == (
            1,
            2 * size,
            2 * size + 2,
            2,
        )


@pytest.mark.parametrize("factor", [2, 4])
def test_keeps_the_mean_of_a_constant(factor):
    np.testing.assert_allclose(array(linear_up(np.full((1, 3, 2, 1), 7.0, np.float32), factor)), 7.0)
