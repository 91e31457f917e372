"""Every threshold scores as a prediction at that threshold does."""

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.evaluation.threshold_sweep import sweep_thresholds
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 2, (3, 20, 30)).astype(np.uint8)
PROBABILITY = np.clip(0.25 * TRUTH + RNG.uniform(0, 0.75, TRUTH.shape), 0, 1).astype(np.float32)
PROBABILITY[0, :3] = np.float32(0.35)  # exactly at a threshold: not above it


def volume(array):
    return Volume(array=array)


@pytest.mark.parametrize("ignore_value", [None, 9])
@pytest.mark.parametrize("slices", [None, [0, 2]])
def test_counts_are_those_of_the_mask_above_the_threshold(slices, ignore_value):
    truth = TRUTH.copy()
    if ignore_value:
        truth[:, 5:8] = ignore_value
    shared = {"slices": slices, "ignore_value": ignore_value}
    sweep = sweep_thresholds(volume(PROBABILITY), volume(truth), **shared)
    assert len(sweep.counts) == 19
    for threshold, confusion in sweep.counts:
        mask = (np.float32(threshold) < PROBABILITY).astype(np.uint8)
        assert confusion == evaluate_volumes(volume(mask), volume(truth), **shared).total


def test_the_best_threshold_is_the_middle_of_the_best():
    exact = (0.2 + 0.6 * TRUTH).astype(np.float32)
    sweep = sweep_thresholds(volume(exact), volume(TRUTH), thresholds=[0.1, 0.3, 0.5, 0.7, 0.9])
    assert sweep.best == 0.5
    assert sweep.to_dict()["best"] == 0.5 and len(sweep.to_dict()["thresholds"]) == 5
    (marked,) = [line for line in sweep.to_table().splitlines() if line.endswith("best")]
    assert marked.startswith("0.50") and "1.0000" in marked
    nothing = sweep_thresholds(volume(0 * exact), volume(0 * TRUTH))
    assert nothing.best is None and "best" not in nothing.to_table()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (TRUTH, "slice 0 holds uint8 values of 0 to 1, expected probabilities"),
        (PROBABILITY * 3, "expected probabilities from 0 to 1"),
        (np.full(TRUTH.shape, np.nan), "holds float64 values of NaN"),
    ],
)
def test_what_is_no_probability(array, message):
    with pytest.raises(InputError, match=message):
        sweep_thresholds(volume(array), volume(TRUTH))
    with pytest.raises(InputError, match="of 2 to 2, expected probabilities"):
        sweep_thresholds(volume(np.full((1, 1, 1), 2.0)), volume(np.ones((1, 1, 1), np.uint8)))
    with pytest.raises(ValueError, match="`thresholds` must be ascending"):
        sweep_thresholds(volume(PROBABILITY), volume(TRUTH), thresholds=[0.5, 0.5])
