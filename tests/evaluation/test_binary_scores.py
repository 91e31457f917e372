import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weighted import weighted

from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
from segkit.metrics.binary_mean_iou import BinaryMeanIoU


def test_scores_by_hand():
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    predicted = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], bool)
    assert count_confusion(predicted, truth) == Confusion(2, 1, 1, 6)
    assert binary_scores(Confusion(2, 1, 1, 6)) == {
        "mean_iou": (2 / 4 + 6 / 8) / 2,
        "foreground_iou": 2 / 4,
        "background_iou": 6 / 8,
        "dice": 4 / 6,
        "precision": 2 / 3,
        "recall": 2 / 3,
        "pixel_accuracy": 8 / 10,
    }


def test_nothing_over_nothing_is_none():
    scores = binary_scores(Confusion(0, 0, 0, 5))
    assert scores["foreground_iou"] is scores["dice"] is scores["precision"] is scores["recall"] is None
    assert scores["mean_iou"] == scores["background_iou"] == 1.0
    assert set(binary_scores(Confusion()).values()) == {None}


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_mean_iou_is_what_the_training_metric_says(seed):
    rng = np.random.default_rng(seed)
    truth, logits = rng.integers(0, 2, (1, 6, 6, 1)), rng.normal(size=(1, 6, 6, 1))
    metric = BinaryMeanIoU()
    metric.update_state(weighted(truth), logits.astype("float32"))
    expected = float(keras.ops.convert_to_numpy(metric.result()))
    counted = count_confusion(logits > 0, truth == 1)
    assert binary_scores(counted)["mean_iou"] == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 2**31))
def test_counts_add_up_over_parts(seed):
    rng = np.random.default_rng(seed)
    predicted, truth, kept = rng.integers(0, 2, (3, 4, 7)).astype(bool)
    parts = [count_confusion(p, t, k) for p, t, k in zip(predicted, truth, kept, strict=True)]
    assert sum(parts, Confusion()) == count_confusion(predicted, truth, kept)
