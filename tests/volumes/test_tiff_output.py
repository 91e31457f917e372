"""TIFF output that Fiji, Bio-Formats and tifffile read with the right size."""

import numpy as np
import pytest
import tifffile

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.tiff_output import write_tiff
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(3)
ARRAY = RNG.integers(0, 200, (3, 20, 30), np.uint8)
SIZE = (47.5, 4.6, 2.255)


def test_imagej_by_default(tmp_path):
    path = tmp_path / "a.tif"
    save_volume(path, Volume(array=ARRAY, voxel_size_nm=SIZE))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.series[0].axes == "ZYX"
        assert (tif.imagej_metadata["unit"], tif.imagej_metadata["spacing"]) == ("nm", 47.5)
        across, units = tif.pages.first.tags["XResolution"].value
        assert units / across == pytest.approx(2.255)
    np.testing.assert_array_equal(tifffile.imread(path), ARRAY)


def test_ome_by_name(tmp_path):
    path = tmp_path / "a.OME.tif"
    save_volume(path, Volume(array=ARRAY.astype(np.int16), voxel_size_nm=SIZE))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome and not tif.is_bigtiff
        assert 'PhysicalSizeZ="47.5" PhysicalSizeZUnit="nm"' in tif.ome_metadata
        assert 'SizeX="30" SizeY="20" SizeC="1" SizeZ="3" SizeT="1"' in tif.ome_metadata
    np.testing.assert_array_equal(tifffile.imread(path), ARRAY)


@pytest.mark.parametrize("kind", ["imagej", "ome-tiff", "tiff"])
@pytest.mark.parametrize("size", [SIZE, None])
@pytest.mark.parametrize("num_slices", [1, 3])
def test_kind_and_size_of_the_input_are_kept(tmp_path, kind, size, num_slices):
    write_tiff(tmp_path / "in.tif", Volume(array=ARRAY[:num_slices], voxel_size_nm=size), kind=kind)
    source = open_volume(tmp_path / "in.tif")
    assert source.format == kind
    save_volume(tmp_path / "out.tif", Volume(array=ARRAY[:num_slices] > 100), like=source)
    found = open_volume(tmp_path / "out.tif")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY[:num_slices] > 100)
    assert found.format == kind and found.dtype == np.uint8
    assert found.voxel_size_nm == (None if size is None else pytest.approx(size))


def test_plain_stack_keeps_its_axis_order(tmp_path):
    save_volume(tmp_path / "a.tif", Volume(array=ARRAY, file_axes="xyz", format="tiff"))
    assert tifffile.imread(tmp_path / "a.tif").shape == (30, 20, 3)
    found = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY)
    assert found.file_axes == "xyz"


@pytest.mark.parametrize(
    ("array", "dtype"),
    [(ARRAY.astype(np.int8), "float32"), (ARRAY / 7, "float32"), (ARRAY.astype(np.int64) * 300, "uint16")],
)
def test_imagej_knows_few_types(tmp_path, array, dtype):
    save_volume(tmp_path / "a.tif", Volume(array=array))
    found = tifffile.imread(tmp_path / "a.tif")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array.astype(dtype))


def test_labels_that_imagej_cannot_hold(tmp_path):
    labels = Volume(array=np.full((1, 2, 2), 2**24 + 1, np.int32))
    with pytest.raises(InputError, match=r"int32 values from 16777217 .*write \.ome\.tif or \.h5 instead"):
        save_volume(tmp_path / "a.tif", labels)
    save_volume(tmp_path / "a.ome.tif", labels)
    assert open_volume(tmp_path / "a.ome.tif").array[0, 0, 0] == 2**24 + 1


@pytest.mark.parametrize(("kind", "big"), [("imagej", False), ("ome-tiff", True), ("tiff", True)])
def test_large_volumes(tmp_path, monkeypatch, kind, big):
    monkeypatch.setattr("segkit.volumes.tiff_output._CLASSIC_BYTES", 1000)
    path = tmp_path / "a.tif"
    write_tiff(path, Volume(array=ARRAY, voxel_size_nm=SIZE), kind=kind)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff == big
        assert len(tif.pages) == (1 if kind == "imagej" else 3)
    found = open_volume(path)
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY)
    assert found.voxel_size_nm == pytest.approx(SIZE)


def test_progress_counts_pages(tmp_path):
    calls = []
    save_volume(tmp_path / "a.tif", Volume(array=ARRAY), progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]
