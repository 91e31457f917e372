import numpy as np
import pytest

from segkit.instances.join_slices import join_slices


def test_one_object_through_all_slices_has_one_id_and_numbers_begin_as_objects_do():
    labels = np.array([[[4, 4, 0, 0, 0]], [[9, 9, 0, 3, 3]], [[1, 1, 0, 5, 5]]])
    found = join_slices(labels)
    np.testing.assert_array_equal(found, [[[1, 1, 0, 0, 0]], [[1, 1, 0, 2, 2]], [[1, 1, 0, 2, 2]]])
    assert found.dtype == np.uint8


def test_the_same_id_in_two_slices_means_nothing():
    labels = np.array([[[7, 7, 0, 0]], [[0, 0, 7, 7]]])
    np.testing.assert_array_equal(join_slices(labels), [[[1, 1, 0, 0]], [[0, 0, 2, 2]]])


def test_an_object_joins_its_best_partner_alone():
    labels = np.array([[[1, 1, 1, 1, 1, 1]], [[1, 1, 1, 1, 2, 2]]])
    np.testing.assert_array_equal(join_slices(labels), [[[1, 1, 1, 1, 1, 1]], [[1, 1, 1, 1, 2, 2]]])
    halves = np.array([[[1, 1, 1, 1]], [[1, 1, 2, 2]]])
    np.testing.assert_array_equal(join_slices(halves), [[[1, 1, 1, 1]], [[1, 1, 2, 2]]])


def test_an_empty_slice_parts_an_object():
    labels = np.array([[[1, 1]], [[0, 0]], [[1, 1]]])
    np.testing.assert_array_equal(join_slices(labels), [[[1, 1]], [[0, 0]], [[2, 2]]])


def test_overlaps_below_the_bound_do_not_join():
    labels = np.array([[[1, 1, 1, 0]], [[0, 0, 2, 2]]])
    assert join_slices(labels, min_iou=0.25).max() == 1
    assert join_slices(labels, min_iou=0.26).max() == 2
    with pytest.raises(ValueError, match=r"`min_iou` must be in \(0, 1\]"):
        join_slices(labels, min_iou=0)


def test_nothing_and_one_slice():
    assert join_slices(np.zeros((3, 2, 2), int)).max() == 0
    np.testing.assert_array_equal(join_slices(np.array([[[5, 0, 8]]])), [[[1, 0, 2]]])


@pytest.mark.parametrize("numbers", [(5, 6), (6, 5)])
def test_of_partners_that_fit_equally_each_gets_one(numbers):
    """Every part overlaps with a third: two pairs can be joined, under whatever ids."""
    first, second = numbers
    labels = np.array([[[1] * 4 + [2] * 4 + [0] * 2], [[0] * 2 + [first] * 4 + [second] * 4]])
    assert join_slices(labels).max() == 2


def test_a_row_of_cells_shifted_by_half_stays_a_row():
    row = np.repeat([1, 2, 3], 4)
    labels = np.array([[[*row, 0, 0]], [[0, 0, *row]]])
    assert join_slices(labels).max() == 3
