"""Every format through the one door."""

import dataclasses
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume, suffix_like
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(6)
ARRAY = RNG.integers(0, 100, (3, 8, 9), np.uint8)
# Formats that hold the voxel size of a stack.
SUFFIXES = (".mrc", ".rec.gz", ".st.bz2", ".tif", ".ome.tif", ".h5")
VOLUME = Volume(array=ARRAY, voxel_size_nm=(47.5, 4.6, 2.255))

SIZES = st.none() | st.tuples(*[st.floats(0.2, 5000, allow_nan=False)] * 3)
ARRAYS = st.sampled_from(["bool", "uint8", "int16", "uint16", "float32"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5))
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=ARRAYS, size=SIZES, suffix=st.sampled_from(SUFFIXES))
def test_values_and_voxel_size_survive(tmp_path, array, size, suffix):
    array = np.nan_to_num(array)
    save_volume(tmp_path / f"a{suffix}", Volume(array=array, voxel_size_nm=size), overwrite=True)
    found = open_volume(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.asarray(found.array), array)
    assert found.voxel_size_nm == (None if size is None else pytest.approx(size, rel=1e-5))
    assert found.dtype.isnative


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".btf", ".png", ""])
def test_format_is_told_from_the_content(tmp_path, suffix):
    array = ARRAY[:1] if suffix == ".png" else ARRAY
    save_volume(tmp_path / f"a{suffix}", Volume(array=array))
    expected = open_volume(tmp_path / f"a{suffix}").format
    shutil.move(tmp_path / f"a{suffix}", tmp_path / "b.dat")
    found = open_volume(tmp_path / "b.dat")
    assert found.format == expected
    np.testing.assert_array_equal(np.asarray(found.array), array)


@pytest.mark.parametrize("source", SUFFIXES)
def test_output_in_the_format_of_the_input(tmp_path, source):
    save_volume(tmp_path / f"in{source}", VOLUME)
    opened = open_volume(tmp_path / f"in{source}")
    path = tmp_path / f"out{suffix_like(opened)}"
    save_volume(path, Volume(array=ARRAY > 50), like=opened)
    found = open_volume(path)
    assert (found.format, found.file_axes) == (opened.format, opened.file_axes)
    assert found.voxel_size_nm == pytest.approx((47.5, 4.6, 2.255))
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY > 50)


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_every_format_into_every_other(tmp_path, source, target):
    save_volume(tmp_path / f"in{source}", VOLUME)
    save_volume(tmp_path / f"out{target}", open_volume(tmp_path / f"in{source}"))
    found = open_volume(tmp_path / f"out{target}")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY)
    assert found.voxel_size_nm == pytest.approx((47.5, 4.6, 2.255))


def test_own_size_and_origin_win_over_those_of_the_input(tmp_path):
    like = dataclasses.replace(VOLUME, origin_nm=(1.0, 2.0, 3.0))
    own = Volume(array=ARRAY[:2], voxel_size_nm=(8.0, 8.0, 8.0), origin_nm=(5.0, 0.0, 0.0))
    save_volume(tmp_path / "a.h5", own, like=like)
    found = open_volume(tmp_path / "a.h5")
    assert (found.voxel_size_nm, found.origin_nm) == (pytest.approx((8.0, 8.0, 8.0)), (5.0, 0.0, 0.0))
    save_volume(tmp_path / "b.h5", Volume(array=ARRAY), like=like)
    assert open_volume(tmp_path / "b.h5").origin_nm == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ""])
def test_rows_can_be_flipped_and_an_output_is_flipped_back(tmp_path, suffix):
    save_volume(tmp_path / f"in{suffix}", VOLUME)
    flipped = open_volume(tmp_path / f"in{suffix}", flip_y=True)
    np.testing.assert_array_equal(np.asarray(flipped.array), ARRAY[:, ::-1])
    np.testing.assert_array_equal(flipped.array[1, 2:5, 3], ARRAY[1, ::-1][2:5, 3])
    # A mask of the top rows as they were shown lies on the last rows of the file, like the tomogram's.
    mask = np.zeros(ARRAY.shape, np.uint8)
    mask[:, :2] = 1
    save_volume(tmp_path / f"out{suffix}", Volume(array=mask), like=flipped)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / f"out{suffix}").array), mask[:, ::-1])


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".png", ""])
def test_existing_output_is_kept_until_told_otherwise(tmp_path, suffix):
    path, volume = tmp_path / f"a{suffix}", Volume(array=ARRAY[:1])
    save_volume(path, volume)
    with pytest.raises(InputError, match="already exists"):
        save_volume(path, Volume(array=ARRAY[1:2]))
    np.testing.assert_array_equal(np.asarray(open_volume(path).array), ARRAY[:1])
    save_volume(path, Volume(array=ARRAY[1:2]), overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_volume(path).array), ARRAY[1:2])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_output_over_its_own_input(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_volume(path, VOLUME)
    name = f"{path}:mask" if suffix == ".h5" else path
    save_volume(name, open_volume(path), overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_volume(path).array), ARRAY)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xyz", r"found the suffix \.xyz, expected one of \.mrc"),
        ("a.nii.gz", r"a\.nii\.gz: found the suffix \.nii, expected one of \.mrc"),
        ("a.nii", r"a\.nii: found the suffix \.nii, expected one of \.mrc"),
        ("a.am", r"a\.am: found the suffix \.am, expected one of \.mrc"),
        ("a.tif.gz", r"found \.gz on another format than MRC"),
        ("missing/a.mrc", "there is no folder"),
        ("missing/a.tif", "there is no folder"),
        ("missing/a.h5", "there is no folder"),
    ],
)
def test_outputs_that_cannot_be(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        save_volume(tmp_path / name, VOLUME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mrc", ".tif", ".ome.tif", ".h5"])
def test_full_disk_leaves_nothing(tmp_path, monkeypatch, suffix):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("segkit.volumes.whole_output.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"the disk is full: 100 bytes free, [\d,]+ bytes needed"):
        save_volume(tmp_path / f"a{suffix}", VOLUME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mrc", None, r"a\.mrc: no such file; check the path"),
        ("b/a.mrc", None, "no such file"),
        ("a.mrc", b"", "found an empty or cut-off file"),
        ("a.mrc", b"text" * 500, "found no MRC header"),
        ("a.tif", b"text" * 500, "found no tif data in it"),
        ("a.txt", b"text" * 500, "found an unknown format"),
        ("a.h5:raw", None, r"a\.h5:raw: no such file"),
    ],
)
def test_inputs_that_are_none(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_volume(tmp_path / name)


def test_a_relative_path_that_leads_nowhere_says_from_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        open_volume("data/a.mrc")
    assert str(caught.value) == f"data/a.mrc: no such file; check the path, which is looked up in {tmp_path}"


def test_input_that_may_not_be_read(tmp_path, monkeypatch):
    save_volume(tmp_path / "a.mrc", VOLUME)

    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr("segkit.volumes.files.read_start", refuse)
    with pytest.raises(InputError, match=r"a\.mrc: permission denied; ask its owner"):
        open_volume(tmp_path / "a.mrc")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".png", ""])
def test_a_file_of_one_channel_has_no_other(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_volume(path, Volume(array=ARRAY[:1] if suffix == ".png" else ARRAY))
    assert open_volume(path, channel=0).shape == open_volume(path).shape
    with pytest.raises(InputError, match="has one channel, but channel 1 was chosen; leave it out"):
        open_volume(path, channel=1)


def test_a_channel_axis_is_no_file_of_ours(tmp_path):
    volume = Volume(array=np.zeros((2, 3, 4, 5), np.uint8), axes="czyx")
    with pytest.raises(InputError, match=r"found the axes \(c, z, y, x\), expected \(z, y, x\)"):
        save_volume(tmp_path / "a.tif", volume)
    assert not list(tmp_path.iterdir())
