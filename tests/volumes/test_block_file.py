import numpy as np
import pytest

from segkit.volumes.block_file import block_parts, is_whole, read_counts, read_rows, write_parts

COUNTS = {"voxels": [3, 4], "overlap": 0}


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 1000, (5, 4, 3)).astype(np.uint16)


@pytest.fixture
def path(array, tmp_path):
    write_parts(tmp_path / "0.0.npy", block_parts(array, COUNTS))
    return tmp_path / "0.0.npy"


def test_array_and_counts_come_back(path, array):
    np.testing.assert_array_equal(read_rows(path, 1, 4, shape=array.shape, dtype=array.dtype), array[1:4])
    np.testing.assert_array_equal(np.load(path), array)
    assert read_counts(path) == COUNTS
    assert is_whole(path)


def test_arrays_that_are_not_contiguous_are_written_as_they_look(array, tmp_path):
    turned = array.transpose(2, 0, 1)[:, ::2]
    write_parts(tmp_path / "b.npy", block_parts(turned, {}))
    np.testing.assert_array_equal(read_rows(tmp_path / "b.npy", 0, 3, shape=turned.shape, dtype=turned.dtype), turned)


@pytest.mark.parametrize("place", [0, 90, 200, -30, -1])
def test_a_changed_byte_anywhere_is_found(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)


@pytest.mark.parametrize("length", [0, 4, 7, 60, -1])
def test_a_torn_file_is_found(path, length):
    path.write_bytes(path.read_bytes()[:length])
    assert not is_whole(path)
