import numpy as np
import pytest
from keras import ops
from weighted import weighted

from segkit.losses import Dice


def value(targets, logits, **kwargs):
    loss = Dice(**kwargs)
    targets = weighted(targets) if np.shape(targets)[-1] == np.shape(logits)[-1] else targets
    return float(loss(np.asarray(targets, "float32"), np.asarray(logits, "float32")))


def test_two_pixels_by_hand():
    assert value([[[1.0], [0.0]]], [[[0.0], [0.0]]]) == pytest.approx(1 - 2 * 0.5 / (1 + 1), abs=1e-6)


def test_a_perfect_result_costs_nothing_and_a_reversed_one_all():
    targets = np.random.default_rng(0).integers(0, 2, (2, 6, 5, 1))
    assert value(targets, 200 * targets - 100.0) == pytest.approx(0, abs=1e-6)
    assert value(targets, 100.0 - 200 * targets) == pytest.approx(1, abs=1e-6)


def test_pixels_that_nobody_annotated_count_nowhere():
    rng = np.random.default_rng(1)
    targets, logits = rng.integers(0, 2, (1, 4, 6, 1)).astype("float32"), rng.normal(size=(1, 4, 6, 1))
    weights = np.ones_like(targets)
    weights[:, :, 4:] = 0
    wrong = np.where(weights > 0, targets, 1 - targets)
    whole = value(np.concatenate([wrong, weights], axis=-1), logits)
    assert whole == pytest.approx(value(targets[:, :, :4], logits[:, :, :4]), abs=1e-6)


def test_weights_that_are_not_0_make_no_difference():
    rng = np.random.default_rng(2)
    targets, logits = rng.integers(0, 2, (1, 4, 4, 1)), rng.normal(size=(1, 4, 4, 1))
    heavy = np.concatenate([targets, np.full_like(targets, 7)], axis=-1)
    assert value(heavy, logits) == pytest.approx(value(targets, logits), abs=1e-6)


def test_by_sample_is_the_mean_of_the_samples_alone():
    rng = np.random.default_rng(3)
    targets, logits = rng.integers(0, 2, (3, 4, 4, 1)), rng.normal(size=(3, 4, 4, 1))
    alone = [value(targets[i : i + 1], logits[i : i + 1]) for i in range(3)]
    assert value(targets, logits, per_sample=True) == pytest.approx(np.mean(alone), abs=1e-6)
    assert value(targets, logits) != pytest.approx(np.mean(alone), abs=1e-4)


def test_an_empty_image_well_told_costs_nothing():
    targets = np.zeros((1, 3, 3, 1))
    assert value(targets, np.full_like(targets, -100.0)) == pytest.approx(0, abs=1e-6)


def test_extreme_logits_stay_finite():
    targets = np.array([[[1.0], [0.0]]])
    assert np.isfinite(value(targets, [[[-1e4], [1e4]]]))
    assert bool(ops.isfinite(Dice()(weighted(targets), np.array([[[1e4], [-1e4]]], "float32"))))
