import keras
import numpy as np
import pytest
from keras import ops

from segkit.ops.resize_bilinear import resize_bilinear


def images(y, x, channels=2):
    return np.random.default_rng(y * 100 + x).normal(size=(2, y, x, channels)).astype("float32")


@pytest.mark.parametrize("old", [(7, 9), (12, 5), (16, 16)])
@pytest.mark.parametrize("new", [(7, 9), (14, 27), (5, 6), (1, 1), (20, 3)])
def test_it_is_kerass_own_resize(old, new):
    values = images(*old)
    expected = ops.image.resize(values, new, "bilinear", antialias=True, data_format="channels_last")
    np.testing.assert_allclose(resize_bilinear(values, new), expected, atol=2e-6)


def test_a_constant_stays_a_constant_at_any_size():
    values = np.full((1, 5, 8, 1), 3.25, "float32")
    for new in ((2, 3), (5, 9), (64, 64)):
        np.testing.assert_allclose(resize_bilinear(values, new), 3.25, rtol=1e-6)


def test_one_row_is_doubled_as_by_hand():
    values = np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1)
    np.testing.assert_allclose(np.ravel(resize_bilinear(values, (1, 4))), [0, 1, 3, 4], atol=1e-6)


def test_the_same_size_is_left_as_it_is():
    values = ops.convert_to_tensor(images(4, 6))
    assert resize_bilinear(values, (4, 6)) is values


def test_narrow_types_are_computed_in_float32():
    values = images(8, 8)
    narrow = ops.cast(values, "bfloat16")
    found = resize_bilinear(narrow, (5, 5))
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    exact = resize_bilinear(ops.cast(narrow, "float32"), (5, 5))
    np.testing.assert_allclose(ops.cast(found, "float32"), exact, atol=2**-8 * 4)
