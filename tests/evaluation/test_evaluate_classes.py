"""Scores of label volumes."""

import json

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_classes import evaluate_classes
from segkit.volumes.volume import Volume

NAMES = ("background", "wall", "core")


def volume(array):
    return Volume(array=np.asarray(array))


PREDICTION = volume([[[0, 1, 1]], [[0, 0, 2]]])
REFERENCE = volume([[[0, 1, 2]], [[0, 9, 2]]])


def test_slices_are_scored_one_by_one_and_together():
    evaluation = evaluate_classes(PREDICTION, REFERENCE, NAMES, ignore_value=9)
    assert evaluation.total.tolist() == [[2, 0, 0], [0, 1, 0], [0, 1, 1]]
    found = json.loads(json.dumps(evaluation.to_dict()))
    assert found["classes"] == list(NAMES)
    assert found["total"]["iou"] == {"background": 1.0, "wall": 0.5, "core": 0.5}
    assert [entry["z"] for entry in found["slices"]] == [0, 1]
    assert found["slices"][1]["iou"] == {"background": 1.0, "wall": None, "core": 1.0}
    assert found["slices"][1]["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_the_table_has_a_line_a_slice_and_one_in_all():
    lines = evaluate_classes(PREDICTION, REFERENCE, NAMES, slices=[1], ignore_value=9).to_table().splitlines()
    assert lines[0].split() == ["slice", "mIoU", "accuracy", *NAMES]
    assert lines[1].split() == ["1", "1.0000", "1.0000", "1.0000", "-", "1.0000"]
    assert lines[2].split()[0] == "all"
    long = ("background", "a-long-name", "another-long-name")
    head, *rows = evaluate_classes(PREDICTION, REFERENCE, long, ignore_value=9).to_table().splitlines()
    assert head.split() == ["slice", "mIoU", "accuracy", *long]
    assert {len(row) for row in rows} == {len(head)}


def test_voxels_that_are_no_class_and_other_shapes():
    with pytest.raises(InputError, match="slice 1 holds 9, expected labels from 0 to 2"):
        evaluate_classes(PREDICTION, REFERENCE, NAMES)
    with pytest.raises(InputError, match="slice 0 holds 1, expected"):
        evaluate_classes(PREDICTION, REFERENCE, NAMES[:1])
    with pytest.raises(InputError, match=r"2 x 1 x 3 voxels .* has 1 x 1 x 3"):
        evaluate_classes(PREDICTION, volume([[[0, 1, 2]]]), NAMES)
