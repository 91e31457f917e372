"""Panoptic quality by hand."""

import numpy as np
import pytest

from segkit.evaluation.panoptic_quality import PanopticCounts, count_panoptic
from segkit.instances.label_overlaps import count_overlaps


def counts(reference, prediction):
    return count_panoptic(count_overlaps(np.array([reference]), np.array([prediction])))


def test_a_pair_needs_more_than_half():
    assert counts([[1, 1, 1, 0]], [[5, 5, 5, 5]]).matched == 1
    half = counts([[1, 1, 0, 0]], [[5, 5, 5, 5]])
    assert (half.matched, half.missed, half.false, half.quality) == (0, 1, 1, 0.0)


def test_quality_is_segmentation_times_recognition():
    found = counts([[1, 1, 1, 1, 2, 2, 3, 0]], [[7, 7, 7, 0, 8, 8, 0, 9]])
    assert (found.iou, found.matched, found.missed, found.false) == (pytest.approx(1.75), 2, 1, 1)
    assert found.segmentation == pytest.approx(0.875)
    assert found.recognition == pytest.approx(2 / 3)
    assert found.quality == pytest.approx(found.segmentation * found.recognition)


def test_images_add_up_and_without_objects_nothing_is_defined():
    one, other = counts([[1, 1, 0]], [[1, 1, 0]]), counts([[1, 1, 0]], [[0, 0, 0]])
    assert (one + other).quality == pytest.approx(1 / 1.5)
    empty = counts([[0, 0]], [[0, 0]])
    assert empty == PanopticCounts() and (empty.quality, empty.segmentation, empty.recognition) == (None, None, None)
