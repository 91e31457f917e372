"""Ids of objects come out as whole numbers, whatever the file holds."""

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.volumes.instance_ids import check_instance_ids, instance_ids
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
