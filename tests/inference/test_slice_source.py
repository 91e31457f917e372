import numpy as np
import pytest

from segkit.errors import InputError
from segkit.inference.slice_source import SliceSource, read_finite
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.volume import Volume


def test_only_what_is_wanted_is_read_and_the_far_border_is_repeated():
    asked = []

    class Recorder:
        shape, dtype, ndim = (4, 5, 6), np.dtype(np.int16), 3

        def __getitem__(self, index):
            asked.append(index)
            return np.arange(120, dtype=np.int16).reshape(4, 5, 6)[index]

    source = SliceSource(Volume(array=Recorder()), (5, 6), ((2, 8), (0, 4)), Standardize(mean=0.0, std=1.0))
    part = source.read(1)
    assert asked == [(1, slice(2, 5), slice(0, 4))]
    assert part.dtype == np.int16
    rows = [[42, 43, 44, 45], [48, 49, 50, 51]]
    assert part.tolist() == [*rows, *[[54, 55, 56, 57]] * 4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_no_number_is_refused_with_its_slice(bad):
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[2, 4, 5] = bad
    source = SliceSource(Volume(array=voxels), (5, 6), ((0, 5), (0, 6)), Standardize(mean=0.0, std=1.0))
    with pytest.raises(InputError, match="found 1 NaN or infinite voxels in slice 2, expected finite values"):
        source.check(range(4))
    source.check([0, 1, 3])
    SliceSource(Volume(array=voxels), (5, 6), ((0, 4), (0, 6)), Standardize(mean=0.0, std=1.0)).check(range(4))


def test_a_part_is_a_copy():
    voxels = np.zeros((1, 2, 2))
    read_finite(Volume(array=voxels), 0)[:] = 1
    assert not voxels.any()


def test_resident_memory_does_not_grow_with_the_slices_read(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "voxels.raw"
    with open(path, "wb") as file:
        file.truncate(64 * 1024 * 1024)
    volume = Volume(array=np.memmap(path, np.uint8, "r", shape=(64, 1024, 1024)))
    read_finite(volume, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for z in range(64):
        read_finite(volume, z)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 16
