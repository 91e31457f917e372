"""Statistics slice by slice equal those of the whole array."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segkit.volumes.voxel_statistics import voxel_statistics

ARRAYS = st.sampled_from([np.int8, np.uint16, np.int32, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.integers(0, 100) if np.dtype(dtype).kind in "iu" else st.floats(-1e6, 1e6, width=32),
    )
)


@given(ARRAYS)
def test_equal_to_the_whole_array(array):
    found = voxel_statistics(array)
    assert (found.minimum, found.maximum) == (array.min(), array.max())
    scale = max(1.0, np.abs(array.astype(float)).max())
    assert math.isclose(found.mean, array.astype(float).mean(), abs_tol=1e-12 * scale)
    assert math.isclose(found.std, array.astype(float).std(), abs_tol=1e-7 * scale)
    assert found.first_not_finite is None


def test_float32_is_summed_in_double_precision():
    array = (1e4 + np.random.default_rng(0).normal(size=(3, 50, 50))).astype(np.float32)
    found, exact = voxel_statistics(array), array.astype(np.float64)
    assert math.isclose(found.mean, exact.mean(), rel_tol=1e-13)
    assert math.isclose(found.std, exact.std(), rel_tol=1e-10)


def test_voxels_that_are_no_numbers_are_counted_and_left_out():
    array = np.ones((4, 2, 2), np.float32)
    array[2, 0, 0], array[3] = np.nan, [[np.inf, -np.inf], [3.0, 3.0]]
    found = voxel_statistics(array)
    assert (found.num_nan, found.num_infinite, found.first_not_finite) == (1, 2, 2)
    assert (found.minimum, found.maximum) == (1, 3)
    assert math.isclose(found.mean, (11 + 6) / 13)


def test_nothing_but_nan_has_no_range():
    found = voxel_statistics(np.full((1, 2, 2), np.nan, np.float32))
    assert math.isnan(found.minimum) and math.isnan(found.mean) and math.isnan(found.std)
    assert found.num_nan == 4


def test_progress_counts_slices():
    calls = []
    voxel_statistics(np.zeros((3, 1, 1)), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
