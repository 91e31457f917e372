"""Which objects a report shows."""

import numpy as np

from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.report.object_pictures import best_and_worst, object_section, slice_pictures
from segkit.volumes.volume import Volume


def scored(truth, found, slices=None, image=None, ignore_value=None):
    volume = LabeledVolume(
        Source(tomogram="t", mask="m"),
        Volume(array=truth if image is None else image),
        Volume(array=truth),
        Split(train=(), validation=()),
    )
    options = {"slices": slices, "ignore_value": ignore_value}
    return volume, Volume(array=found), evaluate_instances(Volume(array=found), volume.mask, **options)


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


def test_where_nothing_is_known_no_cell_and_no_error_is_drawn():
    image = np.random.default_rng(0).integers(0, 255, (2, 24, 30)).astype(np.uint8)
    truth = np.zeros((2, 24, 30), np.int16)
    truth[:, 2:10, 2:10], truth[:, 12:20, 4:18], truth[:, :, 15:] = 1, 2, -1
    found = np.zeros_like(truth)
    found[:, 2:9, 2:10], found[:, 12:20, 6:22], found[:, 2:8, 20:28] = 4, 5, 6
    known = truth != -1
    shown = scored(truth, found, image=image, ignore_value=-1)
    expected = scored(truth * known, found * known, image=image)
    for drawn, blanked in zip(slice_pictures([shown]), slice_pictures([expected]), strict=True):
        assert drawn.caption.split(":")[0] == blanked.caption.split(":")[0]
        for panels in zip(*(overlay.rows for overlay in (drawn, blanked)), strict=True):
            for one, other in zip(*panels, strict=True):
                np.testing.assert_array_equal(one.image, other.image)
    assert object_section([shown]) == object_section([expected])
