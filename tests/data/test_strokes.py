import numpy as np
import pytest

from segkit.data.strokes import UNPAINTED, from_strokes
from segkit.errors import InputError
from segkit.volumes.volume import Volume


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_labels_count_from_0_and_what_is_not_painted_is_unknown(dtype):
    painted = np.array([[[0, 1, 2], [3, 0, 255]]], dtype)
    volume = Volume(array=painted, voxel_size_nm=(3.0, 2.0, 1.0))
    found = from_strokes(volume)
    assert (found.dtype, found.voxel_size_nm) == (np.uint8, (3.0, 2.0, 1.0))
    np.testing.assert_array_equal(found.array[:], [[[UNPAINTED, 0, 1], [2, UNPAINTED, 254]]])


@pytest.mark.parametrize("value", [-1, 256, 0.5, np.nan])
def test_other_values_are_no_strokes(value):
    found = from_strokes(Volume(array=np.full((2, 1, 1), value)))
    with pytest.raises(InputError, match="found values other than whole numbers from 0 to 255 in slice 1, expected st"):
        found.array[1]
