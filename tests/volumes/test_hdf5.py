"""HDF5 files with one dataset or many."""

import json

import h5py
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.hdf5 import split_dataset
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(4)
ARRAY = RNG.integers(0, 60_000, (3, 8, 9), np.uint16)


def make(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, array in datasets.items():
            dataset = file.create_dataset(name.replace("__", "/"), data=array, compression="gzip")
            dataset.attrs["element_size_um"] = (0.3, 0.2, 0.1)
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.h5", ("a.h5", None)),
        ("a.h5:raw", ("a.h5", "raw")),
        ("/b.d/a.HDF5:group/raw", ("/b.d/a.HDF5", "group/raw")),
        ("C:/data/a.mrc", ("C:/data/a.mrc", None)),
        ("C:/data/a.h5", ("C:/data/a.h5", None)),
    ],
)
def test_dataset_on_the_command_line(path, expected):
    file, dataset = split_dataset(path)
    assert (str(file), dataset) == expected


def test_dataset_by_path(tmp_path):
    path = make(tmp_path / "a.h5", raw=ARRAY, group__label=ARRAY + 1)
    by_name = open_volume(f"{path}:raw")
    np.testing.assert_array_equal(np.asarray(by_name.array), ARRAY)
    assert by_name.voxel_size_nm == pytest.approx((300.0, 200.0, 100.0))
    assert (by_name.format, by_name.source, by_name.metadata["dataset"]) == ("hdf5", path, "raw")
    by_argument = open_volume(path, dataset="/group/label")
    np.testing.assert_array_equal(by_argument.array[1:, 2:3, ::-2], ARRAY[1:, 2:3, ::-2] + 1)
    assert by_argument.dtype == np.uint16


def test_the_only_stack_needs_no_name(tmp_path):
    path = make(tmp_path / "a.h5", group__volume=ARRAY, thumbnail=ARRAY[0], times=ARRAY[0, 0])
    np.testing.assert_array_equal(np.asarray(open_volume(path).array), ARRAY)


def test_the_only_image_is_one_slice(tmp_path):
    volume = open_volume(make(tmp_path / "a.h5", image=ARRAY[0], times=ARRAY[0, 0]))
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY[:1])


@pytest.mark.parametrize(
    ("datasets", "dataset", "message"),
    [
        (
            {"raw": ARRAY, "label": ARRAY},
            None,
            r"found the datasets label \(3, 8, 9\), raw .*name one \(.*:DATASET",
        ),
        ({}, None, "found the datasets none, expected exactly one with three axes"),
        ({"raw": ARRAY}, "row", r"found the datasets raw \(3, 8, 9\), expected row"),
        ({"raw": ARRAY[0, 0]}, "raw", r"a\.h5:raw: found the shape \(9,\), expected \(z, y, x\)"),
        ({"raw": np.array([[[b"text"]]])}, "raw", r"found \|S4 of shape .*, expected numbers"),
    ],
)
def test_no_dataset_to_take(tmp_path, datasets, dataset, message):
    path = make(tmp_path / "a.h5", **datasets)
    with pytest.raises(InputError, match=message):
        open_volume(path, dataset=dataset)


def test_two_names(tmp_path):
    path = make(tmp_path / "a.h5", raw=ARRAY)
    with pytest.raises(InputError, match="found two datasets, raw and label, expected one"):
        open_volume(f"{path}:raw", dataset="label")


def test_dataset_of_a_file_without_any(tmp_path):
    save_volume(tmp_path / "a.mrc", Volume(array=ARRAY))
    with pytest.raises(InputError, match="found no HDF5 file, expected one with the dataset raw"):
        open_volume(tmp_path / "a.mrc", dataset="raw")


def test_channels(tmp_path):
    path = make(tmp_path / "a.h5", raw=np.stack([ARRAY, ARRAY + 1]))
    np.testing.assert_array_equal(np.asarray(open_volume(f"{path}:raw", channel=1).array), ARRAY + 1)
    with pytest.raises(InputError, match="found 2 channels, expected one; choose one from 0 to 1"):
        open_volume(f"{path}:raw")
    with pytest.raises(InputError, match="has no channel 2; choose one from 0 to 1"):
        open_volume(f"{path}:raw", channel=2)


def test_a_single_channel_behind_is_none(tmp_path):
    """ilastik writes one, and without names of the axes three channels of eight slices are as likely."""
    volume = open_volume(make(tmp_path / "a.h5", raw=ARRAY[..., None]))
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)


def make_tagged(path, array, tags):
    make(path, raw=array)
    with h5py.File(path, "a") as file:
        file["raw"].attrs["axistags"] = tags
    return path


def tags_of(axes):
    return json.dumps({"axes": [{"key": axis, "typeFlags": 2, "resolution": 0} for axis in axes]})


@pytest.mark.parametrize("axes", ["zyx", "zyxc", "xyzc", "tzyxc", "cxzy"])
def test_axes_that_ilastik_names_are_put_in_order(tmp_path, axes):
    shape = dict(zip("tzyxc", (1, *ARRAY.shape, 1), strict=True))
    spatial = "".join(axis for axis in axes if axis in "zyx")
    array = ARRAY.transpose([*map("zyx".index, spatial)]).reshape([shape[axis] for axis in axes])
    volume = open_volume(make_tagged(tmp_path / "a.h5", array, tags_of(axes)))
    assert volume.shape == ARRAY.shape
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)
    np.testing.assert_array_equal(volume.array[1, 2:4, ::3], ARRAY[1, 2:4, ::3])


@pytest.mark.parametrize(
    "tags", [tags_of("zyx"), tags_of("zzyx"), tags_of("qzyx"), tags_of("tzyc"), "{}", "zyxc", "[1]"]
)
def test_axes_that_do_not_fit_are_refused(tmp_path, tags):
    path = make_tagged(tmp_path / "a.h5", ARRAY[..., None], tags)
    with pytest.raises(InputError, match=r"axistags does not name the axes of the shape \(3, 8, 9, 1\); correct or"):
        open_volume(path)


def test_channels_and_times_that_ilastik_names(tmp_path):
    path = make_tagged(tmp_path / "c.h5", np.stack([ARRAY, ARRAY + 1], axis=-1), tags_of("zyxc"))
    with pytest.raises(InputError, match="found 2 channels, expected one; choose one from 0 to 1"):
        open_volume(path)
    np.testing.assert_array_equal(np.asarray(open_volume(path, channel=1).array), ARRAY + 1)
    with pytest.raises(InputError, match="found 2 time points, expected one volume"):
        open_volume(make_tagged(tmp_path / "t.h5", np.stack([ARRAY, ARRAY]), tags_of("tzyx")))


@pytest.mark.parametrize("size", [(0.1, 0.2), (0.1, -0.2, 0.3), (0.1, np.nan, 0.3), "one micrometre"])
def test_senseless_voxel_size(tmp_path, size):
    path = make(tmp_path / "a.h5", raw=ARRAY)
    with h5py.File(path, "a") as file:
        file["raw"].attrs["element_size_um"] = size
    volume = open_volume(path)
    assert volume.voxel_size_nm is None
    assert volume.warnings[0].startswith("voxel size unknown: element_size_um is")


def test_no_voxel_size(tmp_path):
    save_volume(tmp_path / "a.h5", Volume(array=ARRAY))
    volume = open_volume(tmp_path / "a.h5")
    assert volume.voxel_size_nm is None
    assert volume.warnings == ("voxel size unknown: the dataset has no attribute element_size_um",)


def test_cut_off(tmp_path):
    path = make(tmp_path / "a.h5", raw=ARRAY)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    expected = rf"cut off: found {len(whole) - 100:,} bytes, expected {len(whole):,}"
    with pytest.raises(InputError, match=expected):
        open_volume(path)


def test_damaged(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        open_volume(path)


def test_output(tmp_path):
    volume = Volume(array=ARRAY > 30_000, voxel_size_nm=(47.5, 4.6, 4.6), origin_nm=(1.0, 2.0, 3.0))
    save_volume(tmp_path / "a.h5", volume)
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file) == ["mask"] and file["mask"].dtype == np.uint8
        np.testing.assert_allclose(file["mask"].attrs["element_size_um"], (0.0475, 0.0046, 0.0046))
    found = open_volume(tmp_path / "a.h5")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY > 30_000)
    assert found.voxel_size_nm == pytest.approx((47.5, 4.6, 4.6))
    assert found.origin_nm == (1.0, 2.0, 3.0)


def test_named_output_like_its_input(tmp_path):
    source = open_volume(make(tmp_path / "in.h5", raw=ARRAY))
    save_volume(f"{tmp_path}/out.h5:exported/labels", Volume(array=ARRAY), like=source)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["exported/labels"].compression == "gzip"
        np.testing.assert_array_equal(file["exported/labels"], ARRAY)


def test_replacing_a_file_never_loses_other_datasets(tmp_path):
    path = make(tmp_path / "a.h5", raw=ARRAY)
    with pytest.raises(InputError, match="holds the datasets raw, which replacing the file would lose"):
        save_volume(path, Volume(array=ARRAY), overwrite=True)
    save_volume(f"{path}:raw", Volume(array=ARRAY + 1), overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_volume(path).array), ARRAY + 1)
