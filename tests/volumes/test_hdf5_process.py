"""HDF5 files that would end the process that reads them, reach elsewhere, or hold less than they say."""

import os

import h5py
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes import hdf5_process
from segkit.volumes.files import open_volume
from segkit.volumes.hdf5_process import check_hdf5_values, describe_hdf5, read_hdf5_region

ARRAY = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)


def write(path, array=ARRAY, **settings):
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=array, **settings)
    return path


def test_description(tmp_path):
    path = write(tmp_path / "a.h5", chunks=(1, 8, 9), compression="gzip")
    with h5py.File(path, "a") as file:
        file["raw"].attrs["size"] = (0.5, 1.0)
        file["raw"].attrs["name"] = "text"
        file["names"] = [b"a"]
    found = describe_hdf5(path)
    assert list(found) == ["names", "raw"] and found["names"]["dtype"] is None
    raw = found["raw"]
    assert (raw["shape"], raw["dtype"], raw["compression"]) == ([3, 8, 9], "<u2", "gzip")
    assert raw["attributes"] == {"size": [0.5, 1.0], "name": "text"}
    assert (raw["chunks"], raw["stored_chunks"], raw["external"], raw["sources"]) == ([1, 8, 9], 3, [], [])


def test_region(tmp_path):
    path = write(tmp_path / "a.h5", ARRAY.astype(">u2"))
    found = read_hdf5_region(path, "raw", (1, slice(2, 8, 3), slice(0, 9, 2)), np.dtype(np.uint16))
    np.testing.assert_array_equal(found, ARRAY[1, 2:8:3, ::2])
    found[:] = 0  # the caller's own


def test_a_file_that_has_changed_is_opened_again(tmp_path):
    path = write(tmp_path / "a.h5")
    volume = open_volume(path)
    os.replace(write(tmp_path / "b.h5", ARRAY + 1), path)
    np.testing.assert_array_equal(volume.array[:], ARRAY + 1)
    os.replace(write(tmp_path / "b.h5", ARRAY.astype(np.float32)), path)
    with pytest.raises(InputError, match="raw has changed while it was read"):
        volume.array[:]


def test_the_end_of_the_reading_process_is_a_fault_of_the_file_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5")
    program = tmp_path / "dies.py"
    program.write_text("import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)")
    hdf5_process._CHILD.close()
    monkeypatch.setattr(hdf5_process, "_PROGRAM", program)
    with pytest.raises(InputError, match=r"a\.h5: damaged: it crashes the HDF5 library"):
        describe_hdf5(path)
    monkeypatch.undo()
    assert list(describe_hdf5(path)) == ["raw"]


def virtual(path, shape, *sources):
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout(shape, np.uint16)
        for z, (name, dataset) in enumerate(sources):
            layout[z] = h5py.VirtualSource(name, dataset, shape[1:])
        file.create_virtual_dataset("raw", layout)
    return path


def test_a_virtual_dataset_of_files_beside_it(tmp_path):
    for z in range(2):
        write(tmp_path / f"{z}.h5", ARRAY[z])
    path = virtual(tmp_path / "all.h5", (2, 8, 9), ("0.h5", "raw"), ("1.h5", "raw"))
    np.testing.assert_array_equal(open_volume(path).array[:], ARRAY[:2])
    (tmp_path / "1.h5").unlink()
    with pytest.raises(InputError, match=r"all\.h5:raw: is made of '1\.h5', which is missing; copy that file, too"):
        open_volume(path)
    with h5py.File(tmp_path / "1.h5", "w"):
        pass
    with pytest.raises(InputError, match=r"is made of 1\.h5:raw, which is missing"):
        open_volume(path)


@pytest.mark.parametrize("name", [".", "a.h5"])
def test_a_virtual_dataset_of_itself(tmp_path, name):
    path = virtual(tmp_path / "a.h5", (1, 8, 9), (name, "raw"))
    with pytest.raises(InputError, match="is a virtual dataset that is made of itself"):
        open_volume(path)


def test_two_virtual_datasets_of_each_other(tmp_path):
    virtual(tmp_path / "b.h5", (1, 8, 9), ("a.h5", "raw"))
    with pytest.raises(InputError, match="is a virtual dataset that is made of itself"):
        open_volume(virtual(tmp_path / "a.h5", (1, 8, 9), ("b.h5", "raw")))


def test_values_of_other_files_are_not_opened(tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 1000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (3, 8, 9), np.uint8, external=[(str(tmp_path / "secret"), 0, 216)])
    with pytest.raises(InputError, match=r"its values are in the file '.*secret', which is not opened"):
        open_volume(tmp_path / "a.h5")
    (tmp_path / "in").mkdir()
    write(tmp_path / "0.h5", ARRAY[0])
    for name in ("../0.h5", str(tmp_path / "0.h5")):
        path = virtual(tmp_path / "in" / "all.h5", (1, 8, 9), (name, "raw"))
        with pytest.raises(InputError, match=r"is made of '.*0\.h5', outside its folder; move that file beside it"):
            open_volume(path)


def test_a_source_whose_values_are_elsewhere(tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 1000)
    with h5py.File(tmp_path / "0.h5", "w") as file:
        file.create_dataset("raw", (8, 9), np.uint16, external=[(str(tmp_path / "secret"), 0, 144)])
    with pytest.raises(InputError, match=r"0\.h5:raw: its values are in the file"):
        open_volume(virtual(tmp_path / "all.h5", (1, 8, 9), ("0.h5", "raw")))


def test_a_source_that_never_ends(tmp_path):
    os.mkfifo(tmp_path / "0.h5")
    with pytest.raises(InputError, match=r"is made of '0\.h5', which is missing"):
        open_volume(virtual(tmp_path / "all.h5", (1, 8, 9), ("0.h5", "raw")))


def test_chunks_that_were_never_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (4, 8, 9), np.uint16, chunks=(1, 8, 9))[1] = 7
    volume = open_volume(tmp_path / "a.h5")
    assert "75% of the dataset were never written and are read as its fill value" in volume.warnings
    assert volume.array[1].min() == 7 and volume.array[0].max() == 0


def test_a_shape_that_no_volume_has(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (2**40, 1, 1), np.uint8, chunks=(1, 1, 1))
    with pytest.raises(InputError, match="expected at most 16,777,216 along every axis"):
        open_volume(tmp_path / "a.h5")


def test_every_value_is_read(tmp_path):
    path = write(tmp_path / "a.h5", np.arange(2**16).reshape(1, 256, 256), chunks=(1, 64, 64), fletcher32=True)
    check_hdf5_values(path)
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as HDF5 \(.*filter returned failure"):
        check_hdf5_values(path)
