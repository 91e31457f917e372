"""Ids of objects come out as whole numbers, whatever the file holds."""

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.instance_ids import check_instance_ids, ids_by_slice, instance_ids, unannotated
from segkit.volumes.volume import Volume

OBJECT = np.zeros((2, 6, 6), bool)
OBJECT[:, 1:4, 1:4] = True


@pytest.mark.parametrize(
    ("dtype", "expected"), [(bool, np.uint8), (np.float32, np.int64), (np.float16, np.int64), (np.uint16, np.uint16)]
)
def test_ids_are_whole_numbers(dtype, expected):
    found = instance_ids(Volume(array=OBJECT.astype(dtype)))
    assert found.dtype == expected
    np.testing.assert_array_equal(found, OBJECT)


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_a_file_that_is_accepted_can_be_scored(dtype):
    truth = Volume(array=OBJECT.astype(dtype))
    assert check_instance_ids(truth).foreground == tuple((OBJECT > 0).sum(axis=(1, 2)))
    assert evaluate_instances(truth, truth).total()["seg"] == 1


def test_a_stack_without_cells_is_a_negative():
    assert check_instance_ids(Volume(array=0 * OBJECT)).foreground == (0,) * len(OBJECT)


@pytest.mark.parametrize(("value", "message"), [(0.5, "found 0.5, expected ids"), (-3.0, "found the id -3")])
def test_what_is_no_id_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        instance_ids(Volume(array=OBJECT * value))


@pytest.mark.parametrize(("dtype", "value"), [(np.int16, -1), (np.float32, -1), (np.float32, 255), (np.uint8, 255)])
def test_unannotated_voxels_have_no_id_whatever_their_value(dtype, value, tmp_path):
    drawn = OBJECT.astype(dtype) * 7
    drawn[1, :, 3:] = value
    save_volume(tmp_path / "ids.tif", Volume(array=drawn))
    volume = open_volume(tmp_path / "ids.tif")
    known = np.where(drawn == value, 0, OBJECT * 7)
    np.testing.assert_array_equal(instance_ids(volume, ignore_value=value), known)
    lazy = ids_by_slice(volume, [1, 0], ignore_value=value)
    np.testing.assert_array_equal(lazy[:], known[::-1])
    assert lazy.dtype == instance_ids(volume, ignore_value=value).dtype
    counts = check_instance_ids(volume, ignore_value=value)
    assert (counts.foreground, counts.ignored) == ((9, 6), (0, 18))
    np.testing.assert_array_equal(unannotated(volume, slice(1, 2), ignore_value=value), drawn[1:] == value)
    if value < 0:
        with pytest.raises(InputError, match=r"found the id -1, .*value of unannotated voxels as the ignore value"):
            check_instance_ids(volume)
    else:
        assert check_instance_ids(volume).ignored == (0, 0)


def test_other_ids_are_taken_where_the_annotation_is_known():
    drawn = np.where(OBJECT, 3, 0).astype(np.int16)
    drawn[:, 0] = -1
    found = np.full(OBJECT.shape, 5, np.uint8)
    taken = instance_ids(Volume(array=found), slice(1, 2), ignore_value=-1, annotation=Volume(array=drawn))
    assert taken.dtype == np.uint8
    np.testing.assert_array_equal(taken, np.where(drawn[1:] == -1, 0, 5))


def test_a_value_that_a_type_cannot_hold_does_not_occur():
    counts = check_instance_ids(Volume(array=OBJECT.astype(np.uint8)), ignore_value=-1)
    assert (counts.foreground, counts.ignored) == ((9, 9), (0, 0))


def test_background_cannot_be_unannotated():
    for read in (instance_ids, check_instance_ids, unannotated):
        with pytest.raises(InputError, match="the ignore value is 0, which is the background"):
            read(Volume(array=OBJECT.astype(np.uint8)), ignore_value=0)


def test_what_is_wrong_elsewhere_is_refused_all_the_same():
    drawn = OBJECT * 0.5
    drawn[:, 0] = -1
    with pytest.raises(InputError, match=r"found 0\.5, expected ids"):
        check_instance_ids(Volume(array=drawn), ignore_value=-1)
