"""Folders of PNG or TIFF slices."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(5)
ARRAY = RNG.integers(0, 256, (12, 8, 9), np.uint8)


def make(folder, array=ARRAY, suffix=".png"):
    """Write slices named s1, s2, ..., s12."""
    folder.mkdir()
    for z, image in enumerate(array):
        if suffix == ".png":
            Image.fromarray(image).save(folder / f"s{z + 1}.png")
        else:
            tifffile.imwrite(folder / f"s{z + 1}{suffix}", image)
    return folder


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_slices_in_natural_order(tmp_path, suffix, dtype):
    array = ARRAY.astype(dtype) * (1 if dtype == np.uint8 else 257)
    folder = make(tmp_path / "slices", array, suffix)
    (folder / "notes.txt").write_text("by hand")
    (folder / f".hidden{suffix}").write_text("no image")
    volume = open_volume(folder)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    np.testing.assert_array_equal(volume.array[-1, 2:4], array[-1, 2:4])
    assert volume.format == ("png" if suffix == ".png" else "tiff")
    assert (volume.voxel_size_nm, volume.source) == (None, folder)
    assert len(volume.warnings) == 1 and volume.warnings[0].startswith("voxel size unknown")


def test_opening_reads_no_slice(tmp_path):
    folder = make(tmp_path / "slices")
    whole = (folder / "s7.png").read_bytes()
    (folder / "s7.png").write_bytes(whole[:-30])
    volume = open_volume(folder)
    np.testing.assert_array_equal(volume.array[5], ARRAY[5])
    with pytest.raises(InputError, match=r"s7\.png: cannot be read as PNG"):
        volume.array[6]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_colour_of_equal_channels_is_grey(tmp_path, mode):
    image = np.where(ARRAY[0] > 100, 255, 0).astype(np.uint8) if mode == "1" else ARRAY[0]
    Image.fromarray(image).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(open_volume(tmp_path / "a.png").array[0], image)


def test_colour(tmp_path):
    image = np.repeat(ARRAY[0][..., None], 3, axis=2)
    image[3, 4, 1] ^= 1
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: found colour, expected a grey image; .* Type > 8-bit\)"):
        open_volume(tmp_path / "a.png")


def test_transparency(tmp_path):
    Image.fromarray(np.stack([ARRAY[0], ARRAY[1]], axis=-1)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="found transparent pixels"):
        open_volume(tmp_path / "a.png")


def test_slices_of_other_shape_or_type(tmp_path):
    for suffix in (".png", ".tif"):
        folder = make(tmp_path / f"slices{suffix}", suffix=suffix)
        save = Image.Image.save if suffix == ".png" else lambda image, path: tifffile.imwrite(path, image)
        save(Image.fromarray(ARRAY[0, :-1]) if suffix == ".png" else ARRAY[0, :-1], folder / f"s3{suffix}")
        expected = rf"s3{suffix}: found a slice of \(7, 9\) uint8, expected \(8, 9\) uint8 as in s1"
        with pytest.raises(InputError, match=expected):
            open_volume(folder)


def test_stack_among_slices(tmp_path):
    folder = make(tmp_path / "slices", suffix=".tif")
    tifffile.imwrite(folder / "s4.tif", ARRAY, photometric="minisblack")
    with pytest.raises(
        InputError,
        match=r"s4\.tif: found 12 pages of shape \(8, 9\), .* give the path of the stack itself, or of each stack",
    ):
        open_volume(folder)


@pytest.mark.parametrize(("num_png", "num_tif"), [(0, 0), (1, 2)])
def test_no_slices_or_two_kinds(tmp_path, num_png, num_tif):
    for k in range(num_png):
        Image.fromarray(ARRAY[k]).save(tmp_path / f"{k}.png")
    for k in range(num_tif):
        tifffile.imwrite(tmp_path / f"{k}.tif", ARRAY[k])
    with pytest.raises(InputError, match=f"found {num_png} PNG and {num_tif} TIFF files, expected slices of one"):
        open_volume(tmp_path)


def test_no_png_inside(tmp_path):
    folder = make(tmp_path / "slices")
    (folder / "s2.png").write_text("no image at all, but a text as long as a header")
    with pytest.raises(InputError, match=r"s2\.png: found no PNG image"):
        open_volume(folder)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_output_like_its_input(tmp_path, suffix):
    source = open_volume(make(tmp_path / "in", suffix=suffix))
    save_volume(tmp_path / "out", Volume(array=ARRAY > 100), like=source)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == sorted(f"s{z}{suffix}" for z in range(1, 13))
    found = open_volume(tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY > 100)


def test_pixel_size_of_tiff_slices(tmp_path):
    source = Volume(array=ARRAY, voxel_size_nm=(9.0, 4.0, 2.0), format="tiff")
    save_volume(tmp_path / "out", source)
    found = open_volume(tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(found.array), ARRAY)
    assert found.warnings == ("voxel size unknown: the pixels are 4 x 2 nm, but the file gives no slice distance",)


def test_numbered_output_of_sixteen_bits(tmp_path):
    array = ARRAY.astype(np.int32) * 257
    calls = []
    save_volume(tmp_path / "out", Volume(array=array), progress=lambda *call: calls.append(call))
    assert sorted(p.name for p in (tmp_path / "out").iterdir())[:2] == ["00.png", "01.png"]
    found = open_volume(tmp_path / "out")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(found.array), array)
    assert calls[-1] == (12, 12)


def test_png_holds_no_fractions(tmp_path):
    with pytest.raises(InputError, match=r"float64 values, expected what fits uint8, uint16; write \.tif, \.mrc"):
        save_volume(tmp_path / "out", Volume(array=ARRAY / 7))


def test_single_png(tmp_path):
    save_volume(tmp_path / "a.png", Volume(array=ARRAY[:1]))
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "a.png").array), ARRAY[:1])
    with pytest.raises(InputError, match=r"b\.png: found 12 slices, expected one for a single PNG"):
        save_volume(tmp_path / "b.png", Volume(array=ARRAY))


def test_folder_with_other_files_is_not_replaced(tmp_path):
    folder = make(tmp_path / "slices")
    save_volume(folder, Volume(array=ARRAY[:2]), overwrite=True)
    assert len(list(folder.iterdir())) == 2
    (folder / "notes.txt").write_text("by hand")
    with pytest.raises(InputError, match=r"holds notes\.txt, which is no slice, and is not replaced"):
        save_volume(folder, Volume(array=ARRAY), overwrite=True)
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize(("make_entry", "what"), [("symlink_to", "a link to a missing file"), ("mkdir", "not a file")])
def test_a_slice_that_is_missing_is_not_left_out(tmp_path, make_entry, what):
    folder = make(tmp_path / "slices")
    getattr(folder / "s99.png", make_entry)(*([tmp_path / "gone.png"] if make_entry == "symlink_to" else []))
    with pytest.raises(InputError, match=rf"s99\.png: found {what}, expected a slice"):
        open_volume(folder)


def test_the_folder_of_a_run_is_no_volume(tmp_path):
    what_to_do = "give a volume here; a model is given to segkit predict with --model"
    (tmp_path / "best.keras").write_bytes(b"PK")
    with pytest.raises(InputError, match=f"holds the model best.keras and no slices; {what_to_do}"):
        open_volume(tmp_path)
    with pytest.raises(InputError, match=f"best.keras: is a model and no volume; {what_to_do}"):
        open_volume(tmp_path / "best.keras")
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(InputError, match=f"is the folder of a run and no volume; {what_to_do}"):
        open_volume(tmp_path)
    slices = make(tmp_path / "slices")
    (slices / "best.keras").write_bytes(b"PK")
    assert open_volume(slices).shape == ARRAY.shape


@pytest.mark.parametrize("alone", [True, False])
def test_a_header_that_promises_more_than_the_file_can_hold_costs_no_memory(tmp_path, alone):
    folder = make(tmp_path / "slices", ARRAY[:1])
    image = bytearray((folder / "s1.png").read_bytes())
    image[16:24] = struct.pack(">II", 46_000, 46_000)
    image[29:33] = struct.pack(">I", zlib.crc32(image[12:29]))  # of the chunk's name and content
    (folder / "s1.png").write_bytes(image)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"s1\.png: damaged: .* cannot hold an image of 2,116,046,000 bytes") as fault:
        open_volume(folder / "s1.png" if alone else folder)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_slice_whose_number_is_missing_is_warned_of(tmp_path, suffix):
    folder = make(tmp_path / "slices", suffix=suffix)
    (folder / f"s5{suffix}").unlink()
    (folder / f"s9{suffix}").unlink()
    *_, told = open_volume(folder).warnings
    assert told.startswith(f"slices 5 and 9 are missing between s1{suffix} and s12{suffix}")


def test_slices_saved_as_jpeg_are_not_read(tmp_path):
    for name in ("1.JPG", "2.jpeg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"found JPEG files \(1\.JPG\), .*; save them as PNG or TIFF"):
        open_volume(tmp_path)
    make(tmp_path / "slices")
    (tmp_path / "slices" / "preview.jpg").write_bytes(b"\xff\xd8\xff")
    found = open_volume(tmp_path / "slices")
    assert found.shape == ARRAY.shape
    assert found.warnings[-1].startswith("1 JPEG files are left out (preview.jpg); if they are slices, save them")
