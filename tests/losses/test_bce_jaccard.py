import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weighted import weighted

from segkit.losses.bce_jaccard import BCEJaccard
from segkit.ops.split_weight import split_weight


def value(loss, y_true, y_pred):
    y_true = weighted(y_true) if np.shape(y_true)[-1] == np.shape(y_pred)[-1] else y_true
    return float(keras.ops.convert_to_numpy(loss(np.float32(y_true), np.float32(y_pred))))


def test_two_pixels_by_hand():
    # Logit 0 is probability 1/2, cross entropy ln 2 whatever the target. Weights 3 and 1 give (3 + 1) ln 2 / 2.
    # Jaccard: intersection 1 * 1/2, union 1 + (1/2 + 1/2) - 1/2 = 3/2, distance 1 - 1/3. Weights leave it alone.
    y_true = [[[1, 3], [0, 1]]]
    y_pred = [[[0], [0]]]
    assert value(BCEJaccard(), y_true, y_pred) == pytest.approx(2 * math.log(2) + 2 / 3, rel=1e-6)


def test_weights_do_not_touch_the_jaccard_distance():
    y_pred = [[[0.3], [-0.7]]]
    light = value(BCEJaccard(), [[[1, 1], [0, 1]]], y_pred)
    heavy = value(BCEJaccard(), [[[1, 5], [0, 1]]], y_pred)
    assert heavy - light == pytest.approx(4 * math.log1p(math.exp(-0.3)) / 2, rel=1e-5)


def test_pixels_of_weight_zero_count_nowhere():
    kept = value(BCEJaccard(), [[[1, 2], [0, 1]]], [[[0.5], [-1]]])
    with_unknown = value(BCEJaccard(), [[[1, 2], [0, 1], [0, 0], [1, 0]]], [[[0.5], [-1], [9], [-9]]])
    assert with_unknown == pytest.approx(kept, rel=1e-6)


def test_huge_logits_do_not_overflow():
    assert value(BCEJaccard(), [[[1], [0]]], [[[1e4], [-1e4]]]) == pytest.approx(0, abs=1e-6)
    assert value(BCEJaccard(), [[[0], [1]]], [[[1e4], [-1e4]]]) == pytest.approx(1e4 + 1, rel=1e-6)


def test_nothing_there_and_nothing_seen_costs_nothing():
    assert value(BCEJaccard(), [[[0], [0]]], [[[-200], [-200]]]) == pytest.approx(0, abs=1e-6)


def test_over_the_batch_or_per_sample():
    y_true = [[[1], [1]], [[0], [1]]]
    y_pred = [[[50], [50]], [[50], [-50]]]
    entropy = (0 + 0 + 50 + 50) / 4
    # Batch: intersection 2, union 4. Samples: distances 0 and 1.
    assert value(BCEJaccard(), y_true, y_pred) == pytest.approx(entropy + 1 - 2 / 4, rel=1e-5)
    assert value(BCEJaccard(per_sample=True), y_true, y_pred) == pytest.approx(entropy + 1 / 2, rel=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_is_never_negative_and_falls_towards_the_truth(seed):
    rng = np.random.default_rng(seed)
    targets = (rng.random((2, 4, 4, 1)) > 0.5).astype(np.float32)
    logits = rng.normal(0, 3, targets.shape)
    better = logits + (2 * targets - 1)
    assert 0 <= value(BCEJaccard(), targets, better) < value(BCEJaccard(), targets, logits)


def test_stays_float32_under_mixed_precision():
    logits = keras.ops.cast(np.ones((1, 2, 2, 1)), "bfloat16")
    assert keras.backend.standardize_dtype(BCEJaccard()(weighted(np.ones((1, 2, 2, 1))), logits).dtype) == "float32"


def test_the_weight_is_the_last_channel_and_all_others_are_the_target():
    target = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    values, weight = split_weight(target, np.zeros((2, 3, 2)), name="a loss")
    np.testing.assert_array_equal(values, target[..., :2])
    np.testing.assert_array_equal(weight, target[..., 2:])


def test_cross_entropy_is_a_mean_over_pixels_and_channels():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (2, 3, 5, 2)).astype(np.float32)
    # Of logits of 0 the cross entropy is log 2 everywhere, and the foreground half of everything.
    intersection, union = target.sum() / 2, target.sum() + target.size / 2 - target.sum() / 2
    assert value(BCEJaccard(), target, 0 * target) == pytest.approx(math.log(2) + 1 - intersection / union, abs=1e-3)


def test_the_distance_of_a_sample_is_over_all_of_its_pixels():
    rng = np.random.default_rng(0)
    target, logits = rng.integers(0, 2, (2, 3, 5, 1)).astype(np.float32), rng.normal(size=(2, 3, 5, 1))
    alone = [value(BCEJaccard(), target[n : n + 1], logits[n : n + 1]) for n in range(2)]
    assert value(BCEJaccard(per_sample=True), target, logits) == pytest.approx(np.mean(alone), rel=1e-5)
