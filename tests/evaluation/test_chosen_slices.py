"""Slices that are scored count once each, and are those that were named."""

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.evaluation.evaluate_classes import evaluate_classes
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.evaluation.threshold_sweep import sweep_thresholds
from segkit.volumes.volume import Volume


@pytest.mark.parametrize("slices", [(2, 0), [2, 0], np.array([2, 0], np.uint8), range(2, -1, -2)])
def test_indices_keep_their_order(slices):
    assert chosen_slices(slices, 3) == [2, 0]


def test_all_are_chosen_by_default():
    assert chosen_slices(None, 3) == [0, 1, 2]


@pytest.mark.parametrize("slices", [[True, False], np.array([True, False]), "0,1", 0, [0.0], [None]])
def test_what_is_no_index_is_refused(slices):
    with pytest.raises(ValueError, match=r"`slices` must be indices, such as \[0, 5\]. Received: slices="):
        chosen_slices(slices, 2)


WRONG = [
    ([], r"slices \[\]: none is chosen"),
    ([1, 0, 1], r"slices \[1\]: named more than once"),
    ([0, 2, -1], r"slices \[2, -1\]: .* give 0 to 1"),
]


@pytest.mark.parametrize(("slices", "message"), WRONG)
def test_indices_that_cannot_be_meant_are_refused(slices, message):
    with pytest.raises(InputError, match=message):
        chosen_slices(slices, 2)


@pytest.mark.parametrize(("slices", "message"), WRONG)
@pytest.mark.parametrize(
    "score",
    [
        evaluate_volumes,
        evaluate_instances,
        sweep_thresholds,
        lambda *volumes, slices: evaluate_classes(*volumes, ("gel", "dot"), slices=slices),
    ],
)
def test_every_evaluation_asks(score, slices, message):
    volume = Volume(array=np.eye(4, dtype=np.uint8)[None].repeat(2, axis=0))
    with pytest.raises(InputError, match=message):
        score(volume, volume, slices=slices)
