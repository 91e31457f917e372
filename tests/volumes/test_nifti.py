"""NIfTI files, made by nibabel and read as volumes."""

import gzip
import sys

import nibabel
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.files import open_volume

ARRAY = np.random.default_rng(0).integers(-500, 500, (3, 8, 9)).astype(np.int16)
"""(z, y, x)"""


def write(path, array=ARRAY, zooms=(4.0, 5.0, 40.0), unit="micron", kind=nibabel.Nifti1Image, scaling=(None, None)):
    image = kind(array.T, np.eye(4))
    image.header.set_zooms(zooms[: array.ndim])
    image.header.set_xyzt_units(unit)
    image.header.set_slope_inter(*scaling)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_axes_and_voxel_size(tmp_path, suffix, kind):
    volume = open_volume(write(tmp_path / f"a{suffix}", kind=kind))
    np.testing.assert_array_equal(volume.array[:], ARRAY)
    np.testing.assert_array_equal(volume.array[1:, ::-2, 3], ARRAY[1:, ::-2, 3])
    assert (volume.dtype, volume.format, volume.warnings) == (np.int16, "nifti", ())
    assert volume.voxel_size_nm == pytest.approx((40_000.0, 5_000.0, 4_000.0))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_types(tmp_path, dtype):
    volume = open_volume(write(tmp_path / "a.nii", np.abs(ARRAY).astype(dtype)))
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume.array[:], np.abs(ARRAY).astype(dtype))


def test_numbers_that_stand_for_others(tmp_path):
    path = write(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([0.5, 10.0], "<f4").tobytes()  # scl_slope and scl_inter
    path.write_bytes(content)
    volume = open_volume(path)
    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume.array[:], 0.5 * ARRAY + 10)


def test_one_image_and_one_time_point(tmp_path):
    np.testing.assert_array_equal(open_volume(write(tmp_path / "a.nii", ARRAY[0])).array[:], ARRAY[:1])
    stacked = write(tmp_path / "b.nii", ARRAY[None], zooms=(1.0, 1.0, 1.0, 1.0))
    np.testing.assert_array_equal(open_volume(stacked).array[:], ARRAY)
    with pytest.raises(InputError, match=r"shape \(9, 8, 3, 2\) \(x, y, z, ...\), expected real numbers of one volume"):
        open_volume(write(tmp_path / "c.nii", np.stack([ARRAY, ARRAY]), zooms=(1.0, 1.0, 1.0, 1.0)))


def test_lengths_without_a_unit(tmp_path):
    volume = open_volume(write(tmp_path / "a.nii", unit="unknown"))
    assert volume.voxel_size_nm is None
    assert volume.warnings == ("voxel size unknown: the file gives 40 x 5 x 4 (z, y, x) without a unit of length",)


def test_damage(tmp_path):
    path = write(tmp_path / "a.nii")
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(InputError, match=r"a\.nii: cut off: found"):
        open_volume(path)
    packed = bytearray(gzip.compress(whole))
    packed[-6] ^= 1  # of the check sum
    (tmp_path / "b.nii.gz").write_bytes(packed)
    with pytest.raises(InputError, match="cannot be unpacked"):
        open_volume(tmp_path / "b.nii.gz")
    (tmp_path / "c.nii").write_bytes(b"no header" * 200)
    with pytest.raises(InputError, match="found no nii data in it"):
        open_volume(tmp_path / "c.nii")


def test_without_nibabel(tmp_path, monkeypatch):
    path = write(tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(InputError, match=r"pip install 'segkit\[nifti\]'"):
        open_volume(path)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("offset", [-(2**62), -8, 0, 300])
def test_voxels_inside_the_header_are_damage(tmp_path, kind, offset):
    path = write(tmp_path / "a.nii", kind=kind)
    raw = bytearray(path.read_bytes())
    if kind is nibabel.Nifti1Image:
        raw[108:112] = np.float32(offset).tobytes()
    else:
        raw[168:176] = np.int64(offset).tobytes()
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"a\.nii: damaged: voxels begin at byte -?\d+, inside the header"):
        open_volume(path)
