import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weighted import weighted

from segkit.metrics.binary_mean_iou import BinaryMeanIoU
from segkit.metrics.predicted_foreground import PredictedForeground


def result(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


def mean_iou_of_equation_6(truth, predicted):
    """Confusion p_ab of two classes, then the mean of p_ii / (row + column - p_ii)."""
    p = np.array([[np.sum((truth == a) & (predicted == b)) for b in (0, 1)] for a in (0, 1)], float)
    return np.mean([p[i, i] / (p[i].sum() + p[:, i].sum() - p[i, i]) for i in (0, 1)])


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_streams_to_equation_6(seed, batches):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (batches, 2, 5, 5))
    logits = rng.normal(size=truth.shape)
    truth[0, 0, 0, :2] = 0, 1  # both classes occur
    metric = BinaryMeanIoU()
    for t, y in zip(truth, logits, strict=True):
        metric.update_state(weighted(t[..., None]), y[..., None].astype("float32"))
    assert result(metric) == pytest.approx(mean_iou_of_equation_6(truth, logits > 0), rel=1e-6)


def test_a_class_that_does_not_occur_is_left_out():
    metric = BinaryMeanIoU()
    metric.update_state(weighted(np.zeros((1, 2, 2, 1))), np.full((1, 2, 2, 1), -1, "float32"))
    assert result(metric) == 1.0


def test_pixels_of_weight_zero_are_left_out():
    y_true = np.array([[[1, 1], [0, 1], [0, 0]]], "float32")
    metric = BinaryMeanIoU()
    metric.update_state(y_true, np.array([[[1], [-1], [1]]], "float32"))
    assert result(metric) == 1.0


def test_single_pixels_count_beyond_the_reach_of_float32_and_of_one_word():
    metric = BinaryMeanIoU()
    metric.high.assign([0, 0, 0, 3])
    metric.low.assign([0, 0, 0, 2**30 - 1])
    one_hit = np.ones((1, 1, 1, 1), "float32")
    metric.update_state(weighted(one_hit), one_hit)
    assert keras.ops.convert_to_numpy(metric.high).tolist() == [0, 0, 0, 4]
    assert keras.ops.convert_to_numpy(metric.low).tolist() == [0, 0, 0, 0]
    assert float(metric.confusion()[1, 1]) == 4 * 2**30


def test_sample_weight_is_refused():
    with pytest.raises(ValueError, match="last channel"):
        BinaryMeanIoU().update_state(np.ones((1, 1, 1)), np.ones((1, 1, 1)), sample_weight=np.ones(1))


def test_predicted_foreground_is_of_annotated_pixels_over_batches_of_any_size():
    metric = PredictedForeground()
    metric.update_state(np.array([[[0, 1], [0, 1], [0, 1]]], "float32"), np.array([[[1], [1], [1]]], "float32"))
    metric.update_state(np.array([[[0, 1], [0, 0], [0, 0]]], "float32"), np.array([[[-1], [1], [1]]], "float32"))
    assert result(metric) == 3 / 4


@pytest.mark.parametrize(("logits", "share"), [([-1, -2], 0.0), ([3, 1], 1.0), ([-1, 4], 0.5)])
def test_predicted_foreground_is_exact_at_its_ends(logits, share):
    metric = PredictedForeground()
    for _ in range(3):
        logits = np.array(logits, "float32").reshape(1, 2, 1, 1)
        metric.update_state(weighted(np.zeros_like(logits)), logits)
    assert result(metric) == share


@pytest.mark.parametrize("make", [BinaryMeanIoU, PredictedForeground])
@pytest.mark.parametrize("threshold", ["0.5", None, float("nan")])
def test_a_threshold_is_a_number(make, threshold):
    with pytest.raises(ValueError, match=r"`threshold` must be a finite number. Received: threshold="):
        make(threshold=threshold)
