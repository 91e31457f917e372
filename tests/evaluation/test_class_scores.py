"""Scores of several classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.evaluation.binary_scores import binary_scores, count_confusion
from segkit.evaluation.class_scores import class_scores, count_classes

REFERENCE = np.array([[0, 0, 1], [1, 2, 2]])
PREDICTION = np.array([[0, 1, 1], [1, 2, 0]])


def test_a_case_by_hand():
    confusion = count_classes(PREDICTION, REFERENCE, 3)
    assert confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    scores = class_scores(confusion, ["a", "b", "c"])
    assert scores["iou"] == {"a": 1 / 3, "b": 2 / 3, "c": 1 / 2}
    assert scores["mean_iou"] == pytest.approx(1 / 2)
    assert scores["pixel_accuracy"] == 4 / 6


def test_voxels_that_do_not_count():
    kept = REFERENCE != 2
    scores = class_scores(count_classes(PREDICTION, REFERENCE, 3, kept), ["a", "b", "c"])
    assert scores["iou"] == {"a": 1 / 2, "b": 2 / 3, "c": None}
    assert scores["mean_iou"] == pytest.approx(7 / 12)
    nothing = class_scores(np.zeros((2, 2), int), ["a", "b"])
    assert nothing == {"mean_iou": None, "pixel_accuracy": None, "iou": {"a": None, "b": None}}


@given(st.integers(0, 2**31))
def test_two_classes_score_as_a_mask_does(seed):
    rng = np.random.default_rng(seed)
    prediction, reference = rng.integers(0, 2, (2, 5, 5))
    mine = class_scores(count_classes(prediction, reference, 2), ["background", "foreground"])
    other = binary_scores(count_confusion(prediction == 1, reference == 1))
    assert mine["mean_iou"] == pytest.approx(other["mean_iou"])
    assert mine["iou"] == {name: other[f"{name}_iou"] for name in ("background", "foreground")}


def test_classes_out_of_range():
    with pytest.raises(ValueError, match=r"`prediction` must hold classes below 2\. Received: 2"):
        count_classes(PREDICTION, np.minimum(REFERENCE, 1), 2)
