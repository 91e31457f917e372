"""The files of a phantom."""

import mrcfile
import numpy as np
import pytest

from segkit.data.phantom.generate import Phantom
from segkit.data.phantom.write import write_phantom
from segkit.errors import InputError


@pytest.fixture
def phantom():
    rng = np.random.default_rng(0)
    shape = (3, 5, 7)
    return Phantom(
        tomogram=rng.integers(-128, 128, shape).astype(np.int8),
        masks={"golgi": rng.integers(0, 2, shape).astype(np.uint8)},
        voxel_size_nm=(4.0, 2.0, 1.5),
        seed=11,
    )


def test_files_hold_the_arrays_and_the_voxel_size(phantom, tmp_path):
    paths = write_phantom(phantom, tmp_path / "made" / "here")
    assert {name: path.name for name, path in paths.items()} == {"tomogram": "tomogram.mrc", "golgi": "golgi.mrc"}
    for name, array in {"tomogram": phantom.tomogram, **phantom.masks}.items():
        with mrcfile.open(paths[name]) as mrc:
            assert mrc.header.mode == 0
            assert np.array_equal(mrc.data, array)
            assert [float(mrc.voxel_size[axis]) for axis in "zyx"] == pytest.approx([40.0, 20.0, 15.0])
            assert "phantom" in mrc.get_labels()[0] and "seed 11" in mrc.get_labels()[0]
        assert mrcfile.validate(paths[name])


def test_equal_phantoms_give_equal_files(phantom, tmp_path):
    first, second = (write_phantom(phantom, tmp_path / name) for name in "ab")
    for name in first:
        assert first[name].read_bytes() == second[name].read_bytes()


def test_existing_files_stay_unless_overwritten(phantom, tmp_path):
    (tmp_path / "golgi.mrc").write_text("mine")
    with pytest.raises(InputError, match=r"golgi\.mrc: already exists; name another folder"):
        write_phantom(phantom, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["golgi.mrc"]
    assert (tmp_path / "golgi.mrc").read_text() == "mine"
    paths = write_phantom(phantom, tmp_path, overwrite=True)
    with mrcfile.open(paths["golgi"]) as mrc:
        assert np.array_equal(mrc.data, phantom.masks["golgi"])


def test_a_folder_that_is_a_file_is_refused(phantom, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="taken is a file; name a folder"):
        write_phantom(phantom, tmp_path / "taken")


def test_a_failed_write_leaves_nothing(phantom, tmp_path, monkeypatch):
    real = mrcfile.new

    def full_disk(path, **options):
        if "golgi" in str(path):
            raise OSError("No space left on device")
        return real(path, **options)

    monkeypatch.setattr(mrcfile, "new", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_phantom(phantom, tmp_path)
    assert list(tmp_path.iterdir()) == []
