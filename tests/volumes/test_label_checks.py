"""What a label volume must fulfil."""

import pathlib

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.label_checks import check_labels
from segkit.volumes.volume import Volume


def labels_of(array):
    return Volume(array=np.asarray(array), source=pathlib.Path("labels.tif"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_classes_are_counted_slice_by_slice(dtype):
    counts = check_labels(labels_of(np.array([[[0, 1, 1]], [[2, 0, 0]]], dtype)))
    assert counts.num_classes == 3
    assert counts.voxels.tolist() == [[1, 2, 0], [2, 0, 1]]
    assert counts.missing([0]) == [2]
    assert counts.missing([0, 1]) == []


def test_a_class_may_be_missing_where_the_number_is_given():
    counts = check_labels(labels_of([[[0, 2, 255]]]), num_classes=4, ignore_value=255)
    assert counts.voxels.tolist() == [[1, 0, 1, 0]]
    assert counts.missing([0]) == [1, 3]


@pytest.mark.parametrize(
    ("array", "num_classes", "message"),
    [
        ([[[0, 1, 3]]], None, r"found the labels 0, 1, 3, expected 0, 1, 2, \.\.\. without a gap"),
        (
            [[[0, 0]]],
            None,
            r"found nothing painted \(every labelled voxel is 0\), expected the labels 0, 1, 2, ...; give",
        ),
        ([[[1, 2]]], None, "found the labels 1, 2, expected"),
        ([[[0, 1]], [[0, 3]]], 3, "found 3 in slice 1, expected whole numbers from 0 to 2; give more classes"),
        ([[[0, -1]]], None, "found -1 in slice 0, expected whole numbers from 0 to 254; give class labels"),
        ([[[0.0, 0.5]]], None, "found 0.5 in slice 0"),
        ([[[0.0, np.nan, 1.0]]], None, "in slice 0, expected whole numbers"),
        ([[[0, 300]]], None, "found 300 in slice 0"),
        ([[[0, 255]]], None, "these are 0 and 255, as in a mask: renumber 255 to 1, or give the value of unannotated"),
        (
            [[[0, 255]]],
            2,
            "found 255 in slice 0, expected whole numbers from 0 to 1; these are 0 and 255, as in a mask",
        ),
        ([[[255, 255]], [[0, 255]]], 2, "found 255 in slice 0, .* as in a mask: renumber 255 to 1"),
        ([[[0, 255]], [[0, 1]]], 2, "found 255 in slice 0, .*; give more classes, .* as the ignore value$"),
        ([[[0, 1]], [[0, 255]]], 2, "found 255 in slice 1, .*; give more classes, .* as the ignore value$"),
        ([[[0, 255]], [[0, 1]]], None, "found 255 in slice 0, .*; give class labels, .* as the ignore value$"),
        ([[[0, 1, 255]]], 2, "found 255 in slice 0, expected whole numbers from 0 to 1; give more classes"),
        ([[[0, 1]]], 1, "1 classes asked for, expected 2 to 255"),
    ],
)
def test_no_labels_to_learn_from(array, num_classes, message):
    with pytest.raises(InputError, match=message):
        check_labels(labels_of(array), num_classes=num_classes)


def test_unannotated_voxels_are_counted_too():
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[:, 0], labels[1, 2:] = 1, 255
    found = check_labels(Volume(array=labels), ignore_value=255)
    assert found.ignored == (0, 10, 0) and found.voxels.sum() == labels.size - 10
    assert not any(check_labels(Volume(array=labels[:1]), ignore_value=255).ignored)


def test_labels_that_are_unannotated_everywhere():
    with pytest.raises(InputError, match=r"found nothing painted \(every voxel has the ignore value 255\)"):
        check_labels(labels_of([[[255, 255]]]), ignore_value=255)
