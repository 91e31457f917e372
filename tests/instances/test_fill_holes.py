import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy import ndimage

from segkit.instances.fill_holes import fill_holes


def test_a_hole_between_two_objects_stays_background():
    labels = np.array([[1, 1, 2, 2], [1, 0, 0, 2], [1, 1, 2, 2]])
    np.testing.assert_array_equal(fill_holes(labels), labels)


def test_a_bay_that_reaches_the_border_stays_background():
    labels = np.array([[3, 3, 3], [3, 0, 3], [3, 0, 3]])
    np.testing.assert_array_equal(fill_holes(labels), labels)


def test_a_tunnel_of_a_volume_is_a_hole_of_its_slices_only():
    labels = np.full((3, 3, 3), 5, np.uint16)
    labels[:, 1, 1] = 0
    np.testing.assert_array_equal(fill_holes(labels), labels)
    np.testing.assert_array_equal(fill_holes(labels[1]), 5)
    closed = labels.copy()
    closed[[0, -1]] = 5
    found = fill_holes(closed)
    np.testing.assert_array_equal(found, 5)
    assert found.dtype == np.uint16


def test_a_hole_with_an_object_in_it_is_not_filled_over_it():
    labels = np.full((7, 7), 1)
    labels[1:-1, 1:-1] = 0
    labels[3, 3] = 2
    np.testing.assert_array_equal(fill_holes(labels), labels)


@given(nps.arrays(np.uint8, (7, 8), elements=st.integers(0, 1)))
def test_of_one_object_the_holes_are_those_of_scipy(mask):
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))
