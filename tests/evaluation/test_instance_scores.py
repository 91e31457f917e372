"""SEG, DET and average precision on arrays small enough to check by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from segkit.evaluation.average_precision import THRESHOLDS, Matches, match_objects
from segkit.evaluation.detection_score import DetectionErrors, detection_errors
from segkit.evaluation.seg_score import parameter_efficiency, reference_jaccards
from segkit.instances.label_overlaps import count_overlaps

LABELS = nps.arrays(np.uint8, (4, 5), elements=st.integers(0, 4))


def test_seg_of_an_object_is_its_jaccard_index_and_0_where_no_object_covers_more_than_half():
    reference = np.array([[1, 1, 1, 1, 2, 2, 3, 3, 3]])
    prediction = np.array([[5, 5, 5, 0, 6, 0, 7, 7, 8]])
    found = reference_jaccards(count_overlaps(reference, prediction))
    np.testing.assert_allclose(found, [3 / 4, 0, 2 / 3])


def test_one_object_may_cover_several_in_seg():
    reference = np.array([[1, 1, 2, 2]])
    found = reference_jaccards(count_overlaps(reference, np.array([[9, 9, 9, 9]])))
    np.testing.assert_allclose(found, [0.5, 0.5])


@given(LABELS, st.permutations(range(1, 5)))
def test_seg_and_det_do_not_depend_on_the_numbering(labels, order):
    renumbered = np.array([0, *order])[labels]
    for numbered in (labels, renumbered):
        overlaps = count_overlaps(labels, numbered)
        np.testing.assert_array_equal(reference_jaccards(overlaps), 1)
        assert detection_errors(overlaps) == DetectionErrors(reference=len(overlaps.reference_ids))


def test_pe_seg_is_that_of_the_papers_table_3():
    table = {(0.951, 6_697_824): 0.142, (0.782, 6_697_824): 0.117, (0.646, 2 * 6_697_824): 0.048}
    for (seg, count), expected in table.items():
        assert round(parameter_efficiency(seg, count), 3) == expected


def test_pe_seg_of_no_parameters_is_refused():
    with pytest.raises(ValueError, match="`num_parameters` must be positive"):
        parameter_efficiency(0.5, 0)


def test_errors_of_detection_are_counted_by_the_corrections_they_need():
    reference = np.array([[1, 1, 2, 2, 3, 3, 4, 4, 0, 0]])
    prediction = np.array([[1, 1, 1, 1, 1, 1, 0, 0, 2, 2]])
    errors = detection_errors(count_overlaps(reference, prediction))
    assert errors == DetectionErrors(reference=4, missed=1, false=1, splits=2)
    assert errors.det == 1 - (5 * 2 + 10 + 1) / 40


def test_det_is_never_below_0_and_unknown_without_objects():
    assert DetectionErrors(reference=1, missed=1, false=100).det == 0
    assert DetectionErrors(reference=4, false=5).det == 1 - 5 / 40
    assert DetectionErrors(false=3).det is None


def test_errors_of_detection_add_up_over_frames():
    assert DetectionErrors(1, 2, 3, 4) + DetectionErrors(10, 20, 30, 40) == DetectionErrors(11, 22, 33, 44)


def test_average_precision_matches_every_object_once():
    reference = np.array([[1, 1, 1, 1, 2, 2, 0]])
    prediction = np.array([[5, 5, 5, 5, 6, 0, 7]])
    overlaps = count_overlaps(reference, prediction)
    assert match_objects(overlaps, 0.5) == Matches(matched=2, missed=0, false=1)
    assert match_objects(overlaps, 0.75) == Matches(matched=1, missed=1, false=2)
    assert match_objects(overlaps, 0.75).average_precision == 1 / 4


def test_as_many_pairs_as_can_be_are_matched_below_one_half():
    # 1 fits 5 and 6, 2 fits 5 alone: taking the best pair first would leave 2 alone.
    overlaps = count_overlaps(np.array([[1, 1, 1, 2]]), np.array([[5, 5, 6, 5]]))
    assert overlaps.iou.tolist() == [1 / 2, 1 / 3, 1 / 3]
    assert match_objects(overlaps, 1 / 3).matched == 2


@given(LABELS, LABELS)
def test_average_precision_falls_with_the_threshold_and_is_symmetric(first, second):
    there, back = count_overlaps(first, second), count_overlaps(second, first)
    matched = [match_objects(there, threshold).matched for threshold in THRESHOLDS]
    assert matched == sorted(matched, reverse=True)
    assert matched == [match_objects(back, threshold).matched for threshold in THRESHOLDS]


def test_average_precision_of_nothing_is_unknown_and_thresholds_are_checked():
    nothing = count_overlaps(np.zeros((2, 2), int), np.zeros((2, 2), int))
    assert match_objects(nothing).average_precision is None
    with pytest.raises(ValueError, match=r"`threshold` must be in \(0, 1\]"):
        match_objects(nothing, 0.0)
