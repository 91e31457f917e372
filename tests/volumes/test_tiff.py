"""TIFF files as Fiji, Bio-Formats, libtiff and tifffile write them."""

import struct
import tracemalloc

import cv2
import numpy as np
import pytest
import tifffile

from segkit.errors import InputError
from segkit.volumes.files import open_volume

RNG = np.random.default_rng(2)
ARRAY = RNG.integers(0, 60_000, (3, 20, 30), np.uint16)
NO_SIZE = "voxel size unknown: the file does not give the size of a pixel with a unit of length"


def write(path, array=ARRAY, **options):
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(path, array, **options)
    return path


def check(volume, array=ARRAY):
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    np.testing.assert_array_equal(volume.array[1, 3:5, ::7], array[1, 3:5, ::7])
    assert volume.dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_plain_stack(tmp_path, byteorder, bigtiff, compression):
    path = write(tmp_path / "a.tif", byteorder=byteorder, bigtiff=bigtiff, compression=compression)
    volume = open_volume(path)
    check(volume)
    assert (volume.format, volume.voxel_size_nm, volume.warnings) == ("tiff", None, (NO_SIZE,))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32", "float32", "float64", "bool"])
def test_types(tmp_path, dtype):
    array = (ARRAY % 2 if dtype == "bool" else ARRAY // 500).astype(dtype)
    check(open_volume(write(tmp_path / "a.tif", array)), array)
    np.testing.assert_array_equal(open_volume(write(tmp_path / "b.tif", array[0])).array[0], array[0])


def test_imagej_hyperstack(tmp_path):
    metadata = {"axes": "ZYX", "spacing": 3.5, "unit": "nm"}
    path = write(tmp_path / "a.tif", imagej=True, resolution=(1 / 2.5, 1 / 2.0), metadata=metadata)
    volume = open_volume(path)
    check(volume)
    assert volume.format == "imagej"
    assert volume.voxel_size_nm == pytest.approx((3.5, 2.0, 2.5))
    assert volume.warnings == ()


@pytest.mark.parametrize(
    ("unit", "nm"), [("um", 1000), ("micron", 1000), ("\\u00B5m", 1000), ("Angstrom", 0.1), ("mm", 1e6)]
)
def test_imagej_units(tmp_path, unit, nm):
    # Fiji writes a negative spacing for a stack turned round.
    metadata = {"axes": "ZYX", "spacing": -0.25, "unit": unit}
    volume = open_volume(write(tmp_path / "a.tif", imagej=True, resolution=(8, 4), metadata=metadata))
    assert volume.voxel_size_nm == pytest.approx((0.25 * nm, 0.25 * nm, 0.125 * nm))


def test_imagej_leaves_a_spacing_of_one_out(tmp_path):
    metadata = {"axes": "ZYX", "unit": "nm"}
    volume = open_volume(write(tmp_path / "a.tif", imagej=True, resolution=(4, 4), metadata=metadata))
    assert volume.voxel_size_nm == pytest.approx((1.0, 0.25, 0.25))
    assert volume.warnings == ("ImageJ gives no slice distance, which means 1 unit; taken as 1 nm",)


@pytest.mark.parametrize("unit", ["pixel", None])
def test_imagej_pixels_are_no_length(tmp_path, unit):
    metadata = {"axes": "ZYX", "spacing": 2.0, **({"unit": unit} if unit else {})}
    volume = open_volume(write(tmp_path / "a.tif", imagej=True, resolution=(4, 4), metadata=metadata))
    assert (volume.voxel_size_nm, volume.warnings) == (None, (NO_SIZE,))


@pytest.mark.parametrize(("unit", "nm"), [("nm", 1.0), ("\u00b5m", 1e3), ("\u212b", 0.1), ("mm", 1e6), (None, 1e3)])
def test_ome_units(tmp_path, unit, nm):
    metadata = {"axes": "ZYX", "PhysicalSizeZ": 3.0, "PhysicalSizeY": 2.0, "PhysicalSizeX": 1.0}
    metadata |= {f"PhysicalSize{axis}Unit": unit for axis in "ZYX" if unit}
    volume = open_volume(write(tmp_path / "a.ome.tif", ome=True, metadata=metadata))
    check(volume)
    assert volume.voxel_size_nm == pytest.approx((3 * nm, 2 * nm, 1 * nm))
    assert (volume.format, volume.warnings) == ("ome-tiff", ())


def test_ome_without_slice_distance(tmp_path):
    metadata = {"axes": "ZYX", "PhysicalSizeY": 0.002, "PhysicalSizeX": 0.001}
    volume = open_volume(write(tmp_path / "a.ome.tif", ome=True, metadata=metadata))
    assert volume.voxel_size_nm is None
    assert volume.warnings == ("voxel size unknown: the pixels are 2 x 1 nm, but the file gives no slice distance",)


def test_resolution_tags_of_a_microscope_and_of_a_printer(tmp_path):
    fine = {"resolution": (1e7 / 2.0, 1e7 / 4.0), "resolutionunit": "CENTIMETER"}
    image = open_volume(write(tmp_path / "a.tif", ARRAY[0], **fine))
    assert image.voxel_size_nm == pytest.approx((2.0, 4.0, 2.0))
    assert "thickness of the only slice" in image.warnings[0]
    described = {"axes": "ZYX", "spacing": 5.0, "unit": "nm"}
    stack = open_volume(write(tmp_path / "b.tif", metadata=described, **fine))
    assert stack.voxel_size_nm == pytest.approx((5.0, 4.0, 2.0))
    printed = open_volume(write(tmp_path / "c.tif", ARRAY[0], resolution=(72, 72), resolutionunit="INCH"))
    assert (printed.voxel_size_nm, printed.warnings) == (None, (NO_SIZE,))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("axes", ["ZCYX", "CZYX"])
def test_channels(tmp_path, axes, compression):
    both = np.stack([ARRAY, ARRAY + 1], axis=axes.index("C"))
    path = write(tmp_path / "a.ome.tif", both, ome=True, metadata={"axes": axes}, compression=compression)
    check(open_volume(path, channel=1), ARRAY + 1)
    check(open_volume(path, channel=0), ARRAY)
    for channel, text in ((None, "none was chosen"), (2, "2 was chosen"), (-1, "-1 was chosen")):
        with pytest.raises(InputError, match=f"found 2 channels and {text}; choose one from 0 to 1"):
            open_volume(path, channel=channel)


def test_imagej_channels(tmp_path):
    both = np.stack([ARRAY, ARRAY + 1], axis=1)
    path = write(tmp_path / "a.tif", both, imagej=True, metadata={"axes": "ZCYX"})
    check(open_volume(path, channel=1), ARRAY + 1)


def test_time_is_taken_as_z_with_a_warning(tmp_path):
    volume = open_volume(write(tmp_path / "a.tif", imagej=True, metadata={"axes": "TYX"}))
    check(volume)
    assert "the file calls its stack a time series; time is taken as z" in volume.warnings


def test_time_and_z_are_too_much(tmp_path):
    path = write(tmp_path / "a.tif", np.stack([ARRAY, ARRAY]), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match=r"found the axes TZC?YXS? .*expected one stack of images"):
        open_volume(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour(tmp_path, compression):
    path = tmp_path / "a.tif"
    write(path, np.zeros((3, 20, 30, 3), np.uint8), photometric="rgb", compression=compression)
    with pytest.raises(InputError, match=r"found colour \(3 samples per pixel\), expected grey; .* Type > 8-bit\)"):
        open_volume(path)


@pytest.mark.parametrize("axes", ["XYZ", "YXZ"])
def test_unusual_axis_order(tmp_path, axes):
    in_file = ARRAY.transpose(["ZYX".index(axis) for axis in axes])
    volume = open_volume(write(tmp_path / "a.tif", in_file, metadata={"axes": axes}))
    check(volume)
    assert volume.file_axes == axes.lower()
    path = write(tmp_path / "b.tif", in_file, metadata={"axes": axes}, compression="zlib")
    with pytest.raises(InputError, match=f"found the axes {axes} in .* compressed pages"):
        open_volume(path)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_lzw_pages(tmp_path, dtype):
    array = (ARRAY // 1000).astype(dtype)
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), list(array))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.pages.first.compression == tifffile.COMPRESSION.LZW
    check(open_volume(tmp_path / "a.tif"), array)


@pytest.mark.parametrize("fault", ["not listed", "not installed"])
def test_compression_that_cannot_be_read_is_told_at_once(tmp_path, monkeypatch, fault):
    path = write(tmp_path / "a.tif", compression="zlib")

    def decode(page):
        raise ModuleNotFoundError

    if fault == "not listed":
        monkeypatch.setattr("segkit.volumes.tiff_pages.tifffile.TIFF", type("Listed", (), {"DECOMPRESSORS": ()}))
    else:
        monkeypatch.setattr(tifffile.TiffPage, "asarray", decode)
    monkeypatch.setattr(cv2, "imreadmulti", lambda *arguments, **options: (False, ()))
    with pytest.raises(InputError, match=r"a\.tif: found ADOBE_DEFLATE compression, which cannot be read here"):
        open_volume(path)


def test_slices_written_one_by_one(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for image in ARRAY:
            writer.write(image, contiguous=False, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert len(tif.series) == 3
    check(open_volume(tmp_path / "a.tif"))


def test_second_image_is_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(ARRAY, photometric="minisblack")
        writer.write(ARRAY[0, :5, :5], photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    check(volume)
    assert "the file holds 2 image series; the first is read" in volume.warnings


def test_white_is_zero(tmp_path):
    volume = open_volume(write(tmp_path / "a.tif", photometric="miniswhite"))
    check(volume)
    assert "the file says that 0 is white; values are taken as they are stored" in volume.warnings


def test_complex_values(tmp_path):
    path = write(tmp_path / "a.tif", ARRAY.astype(np.complex64))
    with pytest.raises(InputError, match="found complex64 values, expected real numbers"):
        open_volume(path)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"ome": True},
        {"compression": "zlib"},
        {"metadata": None},
        {"bigtiff": True},
        {"imagej": True, "truncate": True},
    ],
)
@pytest.mark.parametrize("kept", [0.99, 0.6, 0.3, 0.01])
def test_cut_off(tmp_path, options, kept):
    whole = write(tmp_path / "a.tif", RNG.integers(0, 255, (6, 64, 64), np.uint8), **options).read_bytes()
    path = tmp_path / "cut.tif"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=r"cut\.tif: (cut off: found [\d,]+ bytes, expected|cannot be read)"):
        np.asarray(open_volume(path).array)


def test_no_tiff_inside(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(InputError, match="cannot be read as TIFF"):
        open_volume(path)


def test_damaged_page_is_told_when_it_is_read(tmp_path):
    path = write(tmp_path / "a.tif", compression="zlib")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[1].dataoffsets[0]
    damaged = bytearray(path.read_bytes())
    damaged[start : start + 200] = bytes(200)
    path.write_bytes(damaged)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.array[0], ARRAY[0])
    with pytest.raises(InputError, match=r"a\.tif: cannot be read as TIFF .*damaged"):
        volume.array[1]


def test_a_page_that_promises_more_than_it_can_hold_costs_no_memory(tmp_path):
    path = write(tmp_path / "a.tif", ARRAY[:1], compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tag = tif.pages[0].tags[name]
            struct.pack_into({3: "<H", 4: "<I"}[int(tag.dtype)], content, tag.valueoffset, 46_000)
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.tif: damaged: .* cannot hold an image of 4,232,000,000 bytes") as fault:
        open_volume(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert "\n" not in str(fault.value)
