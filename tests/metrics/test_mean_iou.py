import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weighted import weighted

from segkit.metrics.mean_iou import MeanIoU


def result(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


def iou(truth, predicted, k):
    return np.sum((truth == k) & (predicted == k)) / np.sum((truth == k) | (predicted == k))


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(2, 5))
def test_streams_to_the_mean_over_classes(seed, batches, num_classes):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, num_classes, (batches, 2, 6, 6))
    truth[0, 0, 0, :num_classes] = range(num_classes)
    scores = rng.normal(size=(*truth.shape, num_classes))
    kept = rng.random(truth.shape) > 0.2
    kept[0, 0, 0] = True
    metric, last = MeanIoU(num_classes), MeanIoU(num_classes, [num_classes - 1])
    for t, y, w in zip(truth, scores, kept, strict=True):
        for each in (metric, last):
            each.update_state(np.stack([t, w], -1).astype("float32"), y.astype("float32"))
    t, p = truth[kept], scores.argmax(-1)[kept]
    assert result(metric) == pytest.approx(np.mean([iou(t, p, k) for k in range(num_classes)]), rel=1e-6)
    assert result(last) == pytest.approx(iou(t, p, num_classes - 1), rel=1e-6)


def test_a_class_that_does_not_occur_is_left_out():
    metric, absent = MeanIoU(3), MeanIoU(3, [2])
    for each in (metric, absent):
        each.update_state(weighted([[[0.0], [1.0]]]), np.array([[[1.0, 0, 0], [0, 1.0, 0]]], "float32"))
    assert result(metric) == 1.0
    assert result(absent) == 0.0


def test_a_million_pixels_are_counted_one_by_one():
    metric = MeanIoU(2)
    truth = np.zeros((1, 1024, 1024, 1), "float32")
    predicted = np.stack([np.ones((1, 1024, 1024)), np.zeros((1, 1024, 1024))], -1).astype("float32")
    predicted[0, 0, 0] = 0, 1
    metric.update_state(weighted(truth), predicted)
    assert keras.ops.convert_to_numpy(metric.confusion()).tolist() == [[2**20 - 1, 1], [0, 0]]


@pytest.mark.parametrize("class_ids", [[], [3], [-1]])
def test_classes_that_there_are_not(class_ids):
    with pytest.raises(ValueError, match="classes from 0 to 2"):
        MeanIoU(3, class_ids)


def test_sample_weight_is_refused():
    with pytest.raises(ValueError, match="last channel"):
        MeanIoU(2).update_state(np.ones((1, 1, 1)), np.ones((1, 1, 2)), sample_weight=np.ones(1))


def test_a_class_that_is_none_of_them_is_left_out_as_if_not_annotated():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, (2, 6, 6, 1)).astype("float32")
    weights = np.ones_like(classes)
    y_pred = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    strange = rng.random(classes.shape) < 0.3
    for value in (3, 255, -1):
        found, expected = MeanIoU(3), MeanIoU(3)
        found.update_state(np.concatenate([np.where(strange, value, classes), weights], axis=-1), y_pred)
        expected.update_state(np.concatenate([classes, np.where(strange, 0, weights)], axis=-1), y_pred)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(found.confusion()), keras.ops.convert_to_numpy(expected.confusion())
        )


def test_a_class_is_named_once():
    with pytest.raises(ValueError, match=r"`class_ids` must be different classes .* class_ids=\[1, 1\]"):
        MeanIoU(4, class_ids=[1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 2.5}, "`num_classes` must be a whole number of at least 2. Received: num_classes=2.5"),
        ({"num_classes": 3, "class_ids": 1}, "`class_ids` must be a sequence of whole numbers. Received: class_ids=1"),
        ({"num_classes": 3, "class_ids": [0.5]}, "`class_ids` must be a whole number. Received: class_ids=0.5"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MeanIoU(**arguments)
