"""Normalisation of every volume, or every slice, by itself."""

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.preprocessing.standardize_each import StandardizeEach

RNG = np.random.default_rng(0)
STACK = RNG.normal(1000, 100, (5, 60, 70)).astype(np.uint16)


@pytest.mark.parametrize("per", ["volume", "slice"])
def test_normal_values_become_standard_ones_whatever_their_scale(per):
    preprocessing = StandardizeEach(per=per)
    found = preprocessing.training_array(STACK, 0)[:]
    assert found.dtype == np.float32 and found.shape == STACK.shape
    np.testing.assert_allclose([found.mean(), found.std()], [0, 1], atol=0.05)
    other = (STACK.astype(np.float64) * 7.5 - 300).astype(np.float32)
    np.testing.assert_allclose(preprocessing.training_array(other, 0)[:], found, atol=1e-4)


def test_slices_are_brought_to_one_scale_and_volumes_keep_what_differs_between_theirs():
    bright = STACK + np.array([0, 500, 0, 900, 0], np.uint16)[:, None, None]
    means = [StandardizeEach(per=per).training_array(bright, 0)[:].mean(axis=(1, 2)) for per in ("slice", "volume")]
    assert np.ptp(means[0]) < 0.2 and np.ptp(means[1]) > 1.5


def test_what_is_beyond_the_percentiles_does_not_count():
    beads = STACK.copy()
    beads[:, 0, :12] = 60_000  # 600 standard deviations, in 0.3 % of the pixels
    found, expected = (StandardizeEach(per="slice").training_array(stack, 0)[:, 1:] for stack in (beads, STACK))
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("per", ["volume", "slice"])
def test_parts_are_those_of_the_whole(per):
    preprocessing = StandardizeEach(per=per)
    whole = preprocessing.training_array(STACK, 0)[:]
    np.testing.assert_array_equal(preprocessing.training_array(STACK, 0)[1:4:2, 5:9, ::-3], whole[1:4:2, 5:9, ::-3])
    np.testing.assert_array_equal(preprocessing.open(STACK).read(3), whole[3])
    np.testing.assert_array_equal(preprocessing.finish(whole[3], gain=2.0, shift=0.5)[..., 0], 2 * whole[3] + 0.5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_served_slice_is_the_predicted_one_to_the_last_bit(dtype):
    stack = (STACK // 8).astype(dtype)
    preprocessing = StandardizeEach(per="slice")
    served = keras.ops.convert_to_numpy(preprocessing.in_graph(keras.ops.convert_to_tensor(stack)))
    np.testing.assert_array_equal(served, preprocessing.training_array(stack, 0)[:])
    assert StandardizeEach(per="volume").in_graph(keras.ops.convert_to_tensor(stack)) is None


def test_a_slice_without_contrast_is_zero():
    flat = np.full((2, 4, 5), 9, np.uint8)
    np.testing.assert_array_equal(StandardizeEach(per="slice", low=40, high=60).training_array(flat, 0)[:].std(), 0)


def test_a_voxel_that_is_no_number_is_told_with_its_slice():
    stack = STACK.astype(np.float32)
    stack[3, 4, 5] = np.inf
    array = StandardizeEach(per="slice").training_array(stack, 0)
    array[2]
    with pytest.raises(InputError, match="slice 3: found NaN or infinite voxels"):
        array[3]


def test_it_is_stored_and_settings_out_of_range_are_refused():
    preprocessing = StandardizeEach(per="slice", low=1.0)
    assert PREPROCESSINGS.from_dict(PREPROCESSINGS.to_dict(preprocessing)) == preprocessing
    for settings, message in (
        ({"per": "run"}, "`per` must be"),
        ({"per": "slice", "low": 60.0, "high": 40.0}, "percentiles"),
        ({"per": "slice", "high": 100.0}, "percentiles"),
    ):
        with pytest.raises(ValueError, match=message):
            StandardizeEach(**settings)
    with pytest.raises(InputError, match="cannot be converted back"):
        preprocessing.to_grey_values(STACK)
