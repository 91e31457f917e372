"""Voxels read from where they are in a file."""

import numpy as np
import pytest
import tifffile

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.mapped_file import mapped_file, release_mapped
from segkit.volumes.volume import Volume

ARRAY = np.arange(4 * 30 * 40, dtype=np.int16).reshape(4, 30, 40)


def test_parts_and_picked_axes(tmp_path):
    path = tmp_path / "voxels.raw"
    path.write_bytes(b"head" + ARRAY.tobytes())
    with open(path, "rb") as file:
        stack = mapped_file(path, file, ARRAY.dtype, 4, ARRAY.shape)
        image = mapped_file(path, file, ARRAY.dtype, 4, ARRAY.shape, (2, slice(None), slice(None)))
    np.testing.assert_array_equal(stack[1:, ::-2, 5], ARRAY[1:, ::-2, 5])
    np.testing.assert_array_equal(image[:], ARRAY[2:3])


def test_what_is_read_is_a_copy(tmp_path):
    path = tmp_path / "voxels.raw"
    ARRAY.tofile(path)
    with open(path, "rb") as file:
        stack = mapped_file(path, file, ARRAY.dtype, 0, ARRAY.shape)
    stack[0][:] = 0
    np.testing.assert_array_equal(stack[:], ARRAY)


@pytest.mark.parametrize("suffix", [".mrc", ".tif"])
def test_a_file_that_is_cut_off_while_it_is_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_volume(path, Volume(array=ARRAY))
    volume = open_volume(path)
    volume.array[3]
    with open(path, "rb+") as file:
        file.truncate(5000)  # the mapping reaches further: reading it would end this process by a signal
    with pytest.raises(InputError, match=r"was cut off while it was read: found 5,000 bytes, expected"):
        volume.array[3]


def test_bytes_of_the_other_order(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, byteorder=">", photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dtype == np.int16 and volume.dtype.isnative
    np.testing.assert_array_equal(volume.array[2], ARRAY[2])


def test_pages_of_a_mapped_file_are_let_go_without_losing_anything(tmp_path):
    path = tmp_path / "voxels.raw"
    np.arange(24, dtype=np.int16).tofile(path)
    for mode in ("r", "c", "r+"):
        mapped = np.memmap(path, np.int16, mode, shape=(2, 3, 4))
        if mode != "r":
            mapped[0, 0, 0] = 77
        release_mapped(mapped.transpose(0, 2, 1)[:, ::-1])
        assert mapped[0, 0, 0] == (0 if mode == "r" else 77)
        assert mapped[1, 2, 3] == 23
