"""What is said about two volumes that were scored, and about which of them."""

import types

import numpy as np
import pytest

from segkit.evaluation.doubts_about import doubts_about
from segkit.volumes.volume import Volume

MASK = np.zeros((6, 20, 20), np.uint8)
MASK[:, 2:9, 3:8] = 1
SIZE = {"voxel_size_nm": (4.0, 2.0, 2.0)}
NAMES = tuple(f"s{z}.png" for z in range(6))


def task(*doubts):
    return types.SimpleNamespace(doubts=lambda evaluation, found, truth, **how: [(truth, doubt) for doubt in doubts])


def volume(array=MASK, names=None, **settings):
    metadata = {} if names is None else {"slice_names": names}
    return Volume(array=array, metadata=metadata, **{**SIZE, **settings})


def test_nothing_is_said_about_what_goes_together():
    assert doubts_about(task(), None, volume(), volume()) == []


@pytest.mark.parametrize(
    ("prediction", "reference", "of_prediction", "text"),
    [
        (volume(voxel_size_nm=(4.0, 3.0, 3.0)), volume(), True, "if both are of one volume, correct the size"),
        (volume(names=NAMES), volume(names=(*NAMES[:3], "s4.png", "s5.png", "s6.png")), True, "paired in their order"),
        (volume(), volume(MASK[:, ::-1]), True, "fits much better with the reference's rows (y) flipped"),
        (volume(), volume(np.where(np.arange(6)[:, None, None] < 3, MASK, 0)), False, "slices"),
    ],
)
def test_each_doubt_is_about_one_of_the_two(prediction, reference, of_prediction, text):
    ((about, line),) = doubts_about(task(), None, prediction, reference)
    assert about is (prediction if of_prediction else reference)
    assert text in line


def test_the_tasks_own_come_last_and_a_sweep_has_none():
    prediction, reference = volume(), volume(MASK[:, ::-1])
    flipped, own = doubts_about(task("own"), None, prediction, reference)
    assert own == (reference, "own") and "flipped" in flipped[1]
    assert doubts_about(None, None, prediction, reference) == []
    assert doubts_about(task("own"), None, prediction, reference, compares_labels=True) == [(reference, "own")]


def test_an_ignore_value_that_does_not_occur():
    reference = volume()
    assert doubts_about(task(), None, volume(), reference, ignore_value=255) == [
        (reference, "no voxel has the ignore value 255")
    ]
    others = volume(voxel_size_nm=(9.0, 9.0, 9.0))
    assert doubts_about(task(), None, others, reference, compares_sizes=False) == []
