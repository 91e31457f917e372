"""A volume refuses what no volume can be."""

import numpy as np
import pytest

from segkit.volumes.lazy_volume import LazyVolume
from segkit.volumes.volume import ArrayLike3D, Volume

ARRAY = np.zeros((2, 3, 4), np.int16)


def test_properties():
    volume = Volume(array=ARRAY)
    assert (volume.shape, volume.dtype, volume.nbytes) == ((2, 3, 4), np.int16, 48)
    assert (volume.voxel_size_nm, volume.axes, volume.name) == (None, "zyx", "volume in memory")


def test_arrays_of_both_kinds_fit_the_protocol():
    assert isinstance(ARRAY, ArrayLike3D)
    assert isinstance(LazyVolume(lambda region: ARRAY[region], (2, 3, 4), np.int16), ArrayLike3D)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("czyx", (5, 2, 3, 4)), ("zyxc", (2, 3, 4, 5)), ("tczyx", (7, 5, 2, 3, 4)), ("ztyx", (2, 7, 3, 4))],
)
def test_shape_and_voxel_size_are_those_of_space_whatever_axes_there_are(axes, shape):
    volume = Volume(array=np.zeros(shape, np.int16), axes=axes, voxel_size_nm=(4.0, 2.0, 2.0))
    assert volume.shape == (2, 3, 4)
    assert volume.nbytes == 2 * np.prod(shape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"array": ARRAY[0]}, r"`array` must have the axes \(z, y, x\). Received: shape=\(3, 4\)"),
        ({"voxel_size_nm": (1.0, 0.0, 1.0)}, "`voxel_size_nm` must be three positive"),
        ({"voxel_size_nm": (1.0, float("nan"), 1.0)}, "`voxel_size_nm` must be three positive"),
        ({"origin_nm": (0.0, float("inf"), 0.0)}, "`origin_nm` must be three finite"),
        ({"file_axes": "zyy"}, "`file_axes` must be an order"),
        ({"axes": "zyy"}, "`axes` must hold z, y and x in this order"),
        ({"axes": "xyz"}, "`axes` must hold z, y and x in this order"),
        ({"axes": "zyxcc", "array": ARRAY[..., None, None]}, "each axis once"),
        ({"axes": "zyxq", "array": ARRAY[..., None]}, "`axes` may hold c and t besides"),
        ({"axes": "czyx"}, r"`array` must have the axes \(c, z, y, x\). Received: shape=\(2, 3, 4\)"),
    ],
)
def test_impossible_volumes(arguments, message):
    with pytest.raises(ValueError, match=message):
        Volume(**{"array": ARRAY, **arguments})
