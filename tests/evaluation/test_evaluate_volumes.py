import json

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.binary_scores import Confusion
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.volumes.volume import Volume


def volume(array):
    return Volume(array=np.asarray(array))


PREDICTION = volume([[[1, 1], [0, 0]], [[1, 0], [0, 1]]])
REFERENCE = volume([[[255, 0], [0, 0]], [[255, 255], [0, 255]]])
LABELS = volume([[[1, 1], [0, 0]], [[2, 0], [0, 2]]])


def test_slices_are_scored_one_by_one_and_together():
    evaluation = evaluate_volumes(PREDICTION, REFERENCE)
    assert evaluation.slices == ((0, Confusion(1, 1, 0, 2)), (1, Confusion(2, 0, 1, 1)))
    assert evaluation.total == Confusion(3, 1, 1, 3)
    found = json.loads(json.dumps(evaluation.to_dict()))
    assert found["total"]["foreground_iou"] == 3 / 5
    assert [entry["z"] for entry in found["slices"]] == [0, 1]


def test_slices_and_labels_are_chosen():
    assert evaluate_volumes(PREDICTION, REFERENCE, slices=[1]).slices == ((1, Confusion(2, 0, 1, 1)),)
    assert evaluate_volumes(LABELS, REFERENCE, label=2).total == Confusion(2, 0, 2, 4)
    assert evaluate_volumes(REFERENCE, LABELS, reference_label=1).total == Confusion(1, 3, 1, 3)


def test_voxels_nobody_annotated_do_not_count():
    sparse = volume([[[255, 9], [0, 0]], [[255, 9], [0, 255]]])
    assert evaluate_volumes(PREDICTION, sparse, ignore_value=9).total == Confusion(3, 0, 0, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (LABELS.array, "holds 1 and 2, expected one whole value besides 0 in a mask; choose a label with --label"),
        (LABELS.array, "label, or if these are ids of objects, score them with --instances$"),
        (np.full((2, 2, 2), 0.25), "holds 0.25 and 0.25, .*; predict without --probability, or score it with --sweep$"),
        (
            np.full((2, 2, 2), np.nan),
            "found 4 NaN or infinite voxels in slice 0, expected finite values; write it again",
        ),
    ],
)
def test_what_is_no_mask_is_refused(array, message):
    with pytest.raises(InputError, match=message):
        evaluate_volumes(volume(array), REFERENCE)


def test_what_is_no_reference_is_refused():
    with pytest.raises(InputError, match=r"--reference-label, or give the value of unannotated .* with --instances$"):
        evaluate_volumes(REFERENCE, LABELS)
    with pytest.raises(InputError, match=r"holds 0\.5 and 0\.5, .*; give a mask, not an image$"):
        evaluate_volumes(REFERENCE, volume(np.full((2, 2, 2), 0.5)))


def test_the_table_names_every_slice():
    lines = evaluate_volumes(PREDICTION, volume(np.zeros((2, 2, 2)))).to_table().splitlines()
    assert [line.split()[0] for line in lines] == ["slice", "0", "1", "all"]
    assert lines[1].split() == ["0", "0.2500", "0.0000", "0.0000", "0.0000", "-", "0.5000"]


def test_another_shape_is_refused():
    with pytest.raises(InputError, match=r"2 x 2 x 2 voxels.*has 1 x 2 x 2"):
        evaluate_volumes(PREDICTION, volume(np.zeros((1, 2, 2))))


def test_nan_is_no_background_where_a_label_is_chosen():
    labels = np.ones((2, 2, 2), np.float32)
    labels[1, 0, 0] = np.nan
    with pytest.raises(InputError, match="found 1 NaN or infinite voxels in slice 1"):
        evaluate_volumes(volume(labels), REFERENCE, label=1)
    with pytest.raises(InputError, match="found 1 NaN or infinite voxels in slice 1"):
        evaluate_volumes(REFERENCE, volume(labels))
