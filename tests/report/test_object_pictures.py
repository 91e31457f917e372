"""Which objects a report shows."""

import numpy as np

from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.report.object_pictures import best_and_worst
from segkit.volumes.volume import Volume


def scored(truth, found, slices=None):
    volume = LabeledVolume(
        Source(tomogram="t", mask="m"), Volume(array=truth), Volume(array=truth), Split(train=(), validation=())
    )
    return volume, Volume(array=found), evaluate_instances(Volume(array=found), volume.mask, slices=slices)


def test_every_object_is_shown_once_where_it_is_best_or_worst():
    truth = np.zeros((4, 20, 20), np.uint8)
    truth[:3, :10, :10], truth[:, 12:20, :10], truth[:, :10, 12:20] = 1, 2, 3
    found = truth.copy()
    found[1, 8:10, :10] = 0  # object 1: 0.8 in slice 1, else whole
    found[2][truth[2] == 2] = 0  # object 2: missed in slice 2
    found[0][truth[0] == 3], found[1:, :5, 12:20] = 0, 0  # object 3: missed in slice 0, a half elsewhere
    best, worst = best_and_worst([scored(truth, found, slices=[0, 1, 2])])
    assert {chosen: jaccard for jaccard, _, _, chosen in best} == {1: 1, 2: 1}
    assert worst == [(0.0, 0, 0, 3)]


def test_in_3d_an_object_has_one_place():
    truth = np.zeros((2, 10, 10), np.uint8)
    for number in range(10):
        truth[:, number] = number + 1
    found = np.where(np.arange(10) < truth, truth, 0).astype(np.uint8)  # of object n the first n voxels of each row
    best, worst = best_and_worst([scored(truth, found)])
    assert [(z, chosen) for _, _, z, chosen in best] == [(None, 10), (None, 9), (None, 8)]
    assert {chosen for *_, chosen in worst} <= {1, 2, 3, 4, 5}
    assert best_and_worst([scored(truth[:, :1], found[:, :1])])[1] == []
