"""Components of single slices: numbered over the volume, never joined between slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from segkit.instances.slice_components import slice_components


def of(mask, **options):
    return slice_components(lambda z: mask[z], mask.shape, **options)


@settings(deadline=None, max_examples=40)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)), st.integers(0, 4))
def test_they_are_those_of_each_slice_in_the_order_of_z(mask, min_size):
    found, last = of(mask, min_size=min_size)[:], 0
    for z, part in enumerate(mask):
        expected = label(part, connectivity=1)
        kept = [one for one in range(1, expected.max() + 1) if (expected == one).sum() >= min_size]
        for one in kept:
            last += 1
            np.testing.assert_array_equal(found[z] == last, expected == one)
        assert set(np.unique(found[z])) <= {0, *range(last - len(kept) + 1, last + 1)}
    assert found.max(initial=0) == last


def test_what_touches_along_z_or_at_corners_is_not_one():
    column = np.ones((3, 1, 1), np.uint8)
    assert of(column)[:].ravel().tolist() == [1, 2, 3]
    corners = np.array([[[1, 0], [0, 1]]])
    assert of(corners)[:].tolist() == [[[1, 0], [0, 2]]]


@pytest.mark.parametrize(("slices", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_the_type_is_the_smallest_that_holds_the_ids(slices, dtype):
    found = of(np.ones((slices, 1, 2), np.uint8))
    assert found.dtype == found[:].dtype == dtype
    assert found[-1].tolist() == [[slices, slices]]


def test_slices_are_read_one_at_a_time():
    read = []
    found = slice_components(lambda z: read.append(z) or np.eye(2), (4, 2, 2))
    assert read == [0, 1, 2, 3]  # counted
    assert found[2].tolist() == [[5, 0], [0, 6]]
    assert read == [0, 1, 2, 3, 2]


def test_nothing_is_found_in_nothing():
    found = of(np.zeros((2, 3, 4), np.uint8))
    assert found.shape == (2, 3, 4) and found.dtype == np.uint8 and not found[:].any()
