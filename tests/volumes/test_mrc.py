"""MRC files as the field writes them."""

import bz2
import gzip
import struct
import tracemalloc

import mrcfile
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.files import open_volume

RNG = np.random.default_rng(0)
SHAPE = (3, 4, 5)


def write(path, array, *, voxel_angstrom=(22.55, 22.55, 30.0), **header):
    """Write with mrcfile; voxel size as (x, y, z)."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(array)
        file.voxel_size = voxel_angstrom
        for name, value in header.items():
            setattr(file.header, name, value)
    return path


def patch(path, position, form, *values):
    """Overwrite words of the header."""
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(struct.pack(form, *values))


def sample(dtype):
    if np.dtype(dtype).kind == "f":
        return RNG.normal(size=SHAPE).astype(dtype)
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, SHAPE, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32", "uint16", "float16"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".mrc", ".rec.gz", ".map.bz2"])
def test_modes_byte_orders_and_compression(tmp_path, dtype, order, suffix):
    array = sample(dtype)
    plain = write(tmp_path / "plain.mrc", array.astype(array.dtype.newbyteorder(order)))
    path = tmp_path / f"volume{suffix}"
    packed = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(plain.read_bytes())
    path.write_bytes(packed)
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert volume.dtype == np.dtype(dtype) and volume.dtype.isnative
    assert volume.voxel_size_nm == pytest.approx((3.0, 2.255, 2.255), rel=1e-6)
    assert (volume.format, volume.source, volume.file_axes, volume.warnings) == ("mrc", path, "zyx", ())


def test_mapped_not_loaded(tmp_path):
    path = tmp_path / "volume.mrc"
    write(path, np.zeros((64, 512, 512), np.int8))
    (tmp_path / "volume.mrc.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    for name in ("volume.mrc", "volume.mrc.gz"):
        tracemalloc.start()
        volume = open_volume(tmp_path / name)
        volume.array[5, 100:200]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < volume.nbytes / 3, name


@pytest.mark.parametrize(("flags", "dtype"), [(0, "uint8"), (1, "int8"), (4, "uint8"), (5, "int8")])
def test_imod_says_whether_bytes_are_signed(tmp_path, flags, dtype):
    array = sample(dtype)
    path = write(tmp_path / "imod.st", array.view(np.int8))
    patch(path, 152, "<ii", 1146047817, flags)
    volume = open_volume(path)
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(np.asarray(volume.array), array)


def test_range_in_the_header_tells_unsigned_bytes(tmp_path):
    array = RNG.integers(141, 163, SHAPE, np.uint8)
    path = write(tmp_path / "old.mrc", array.view(np.int8))
    patch(path, 76, "<ff", 141.0, 163.0)
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert "mode 0 read as unsigned bytes, because the MRC header gives the range 141 to 163" in volume.warnings
    patch(path, 76, "<ff", -115.0, 127.0)
    assert open_volume(path).dtype == np.int8


@pytest.mark.parametrize("order", ["<", ">"])
def test_header_without_its_mark(tmp_path, order):
    array = sample("int16")
    path = write(tmp_path / "old.rec", array.astype(f"{order}i2"))
    # Old headers have an origin where the mark is now, and something else where the origin is.
    patch(path, 196, f"{order}fff", 7.0, 7.0, 7.0)
    patch(path, 208, f"{order}fff", 4640.0, 0.0, 0.0)
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert volume.warnings == ("the MRC header has no MAP mark (an old or unusual writer)",)
    assert volume.origin_nm == (0.0, 0.0, 0.0)


def test_wrong_machine_stamp(tmp_path):
    array = sample("int16")
    path = write(tmp_path / "volume.mrc", array)
    patch(path, 212, "4B", 0x11, 0x11, 0, 0)
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert "machine stamp does not match" in volume.warnings[0]


def test_extended_header_is_skipped_and_kept(tmp_path):
    path = tmp_path / "volume.mrc"
    array = sample("float32")
    with mrcfile.new(path) as file:
        file.set_data(array)
        file.set_extended_header(np.frombuffer(b"tilt angles!" * 8, "V1"))
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert volume.metadata["mrc_extended_header"] == b"tilt angles!" * 8


@pytest.mark.parametrize("axes", ["zyx", "zxy", "xyz", "xzy", "yxz", "yzx"])
def test_any_axis_order_is_presented_as_zyx(tmp_path, axes):
    array = sample("int16")
    in_file = array.transpose(["zyx".index(axis) for axis in axes])
    columns_first = ["xyz".index(axis) + 1 for axis in reversed(axes)]
    path = write(tmp_path / "volume.map", in_file, nxstart=10, nystart=20, nzstart=30)
    patch(path, 28, "<iii", 5, 4, 3)  # intervals and cell go by x, y, z, not by columns
    patch(path, 40, "<fff", 50.0, 80.0, 90.0)
    patch(path, 64, "<iii", *columns_first)
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert volume.file_axes == axes
    assert volume.voxel_size_nm == (3.0, 2.0, 1.0)
    # The starts go by columns, rows and sections.
    starts = dict(zip(reversed(axes), (10, 20, 30), strict=True))
    assert volume.origin_nm == (3.0 * starts["z"], 2.0 * starts["y"], 1.0 * starts["x"])


def test_senseless_axis_order(tmp_path):
    path = write(tmp_path / "volume.mrc", sample("int8"), mapc=3, mapr=3, maps=1)
    volume = open_volume(path)
    assert volume.file_axes == "zyx"
    assert volume.warnings == ("the axis order [3, 3, 1] in the MRC header is invalid; taken as x, y, z",)


@pytest.mark.parametrize("angstrom", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (10.0, 10.0, 0.0), (-5.0, 5.0, 5.0)])
def test_unknown_voxel_size(tmp_path, angstrom):
    volume = open_volume(write(tmp_path / "volume.mrc", sample("int8"), voxel_angstrom=angstrom))
    assert volume.voxel_size_nm is None
    assert len(volume.warnings) == 1
    assert volume.warnings[0].startswith("voxel size unknown: the MRC header gives")


def test_one_angstrom_along_two_axes_is_a_size(tmp_path):
    volume = open_volume(write(tmp_path / "volume.mrc", sample("int8"), voxel_angstrom=(1.0, 1.0, 2.0)))
    assert volume.voxel_size_nm == pytest.approx((0.2, 0.1, 0.1))


def test_origin_field_wins_over_start_indices(tmp_path):
    path = write(tmp_path / "volume.mrc", sample("int8"), nxstart=10, origin=(100.0, 0.0, -50.0))
    volume = open_volume(path)
    assert volume.origin_nm == (-5.0, 0.0, 10.0)
    assert volume.warnings == ()


def test_start_indices_where_the_origin_is_zero(tmp_path):
    path = write(tmp_path / "volume.mrc", sample("int8"), voxel_angstrom=(10, 10, 20), nzstart=7)
    volume = open_volume(path)
    assert volume.origin_nm == pytest.approx((14.0, 0.0, 0.0))
    assert "origin taken from the start indices 7, 0, 0" in volume.warnings[0]


def test_one_slice(tmp_path):
    array = sample("float32")[0]
    volume = open_volume(write(tmp_path / "image.mrc", array))
    np.testing.assert_array_equal(np.asarray(volume.array), array[None])


def test_bytes_after_the_voxels(tmp_path):
    path = write(tmp_path / "volume.mrc", sample("int8"))
    path.write_bytes(path.read_bytes() + b"12345")
    assert open_volume(path).warnings == ("5 bytes after the voxels are ignored",)


@pytest.mark.parametrize("suffix", [".mrc", ".mrc.gz", ".mrc.bz2"])
def test_cut_off(tmp_path, suffix):
    whole = write(tmp_path / "plain.mrc", sample("int16")).read_bytes()
    path = tmp_path / f"volume{suffix}"
    path.write_bytes({".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(whole[:-20]))
    with pytest.raises(InputError, match=r"cut off: found 1,124 .*bytes, expected 1,144"):
        open_volume(path)


def test_compressed_file_that_breaks_off(tmp_path):
    array = RNG.integers(-128, 127, (8, 256, 256), np.int8)
    packed = gzip.compress(write(tmp_path / "plain.mrc", array).read_bytes())
    path = tmp_path / "volume.mrc.gz"
    path.write_bytes(packed[:300_000])
    with pytest.raises(InputError, match=r"cut off: found 300,\d{3} unpacked bytes, expected 525,312"):
        open_volume(path)
    path.write_bytes(packed[:40])
    with pytest.raises(InputError, match="found an empty or cut-off file"):
        open_volume(path)


def test_damaged_compressed_file(tmp_path):
    packed = bytearray(gzip.compress(write(tmp_path / "plain.mrc", sample("int16")).read_bytes()))
    packed[60:90] = bytes(30)
    path = tmp_path / "volume.mrc.gz"
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"volume\.mrc\.gz: (damaged|cut off)"):
        open_volume(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_check_sum_that_differs_is_damage(tmp_path, pack):
    packed = bytearray(pack(write(tmp_path / "plain.mrc", sample("int16")).read_bytes()))
    path = tmp_path / f"volume.mrc.{'gz' if pack is gzip.compress else 'bz2'}"
    path.write_bytes(packed)
    open_volume(path)
    packed[-6 if pack is gzip.compress else -3] ^= 1  # of the sum; behind it are the size, or bits that fill the byte
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"damaged, its data cannot be unpacked"):
        open_volume(path)


def test_a_check_sum_that_is_missing_is_missed(tmp_path):
    path = tmp_path / "volume.mrc.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "plain.mrc", sample("int16")).read_bytes())[:-8])
    with pytest.raises(InputError, match=r"volume\.mrc\.gz: cut off: its checksum is missing"):
        open_volume(path)


def test_no_room_to_unpack(tmp_path, monkeypatch):
    path = tmp_path / "volume.mrc.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "plain.mrc", sample("int16")).read_bytes()))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("segkit.volumes.compressed.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"unpacking needs 1,144 bytes, found 1,000 free .*set TMPDIR"):
        open_volume(path)


def test_unpacking_shows_progress(tmp_path):
    path = tmp_path / "volume.mrc.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "plain.mrc", sample("int16")).read_bytes()))
    calls = []
    open_volume(path, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (1144, 1144)


@pytest.mark.parametrize(("mode", "kind"), [(3, "complex int16"), (4, "complex float32"), (16, "RGB"), (101, "4-bit")])
def test_modes_that_are_not_read(tmp_path, mode, kind):
    path = write(tmp_path / "volume.mrc", sample("int16"))
    patch(path, 12, "<i", mode)
    with pytest.raises(InputError, match=f"found mode {mode} \\({kind} data\\), expected mode 0, 1, 2, 6 or 12"):
        open_volume(path)


def test_four_bits_of_imod(tmp_path):
    path = write(tmp_path / "volume.mrc", sample("int8"))
    patch(path, 152, "<ii", 1146047817, 16)
    with pytest.raises(InputError, match="4-bit data"):
        open_volume(path)


def test_stack_of_volumes(tmp_path):
    path = tmp_path / "volumes.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.zeros((2, 3, 4, 5), np.int8))
    with pytest.raises(InputError, match="found a stack of 2 volumes, expected one"):
        open_volume(path)


@pytest.mark.parametrize(("position", "value"), [(0, 0), (8, -3), (12, 77), (92, -1)])
def test_senseless_header(tmp_path, position, value):
    path = write(tmp_path / "volume.mrc", sample("int8"))
    patch(path, position, "<i", value)
    with pytest.raises(InputError, match="found no MRC header"):
        open_volume(path)


def test_shorter_than_a_header(tmp_path):
    path = tmp_path / "volume.mrc"
    path.write_bytes(b"short")
    with pytest.raises(InputError, match=r"cut off: found 5 bytes, expected an MRC header of 1024"):
        open_volume(path)


def test_bytes_of_the_wrong_sign_are_noticed_and_can_be_set_right(tmp_path):
    image = np.clip(np.random.default_rng(0).normal(128, 20, (3, 40, 50)), 0, 255).astype(np.uint8)
    path = write(tmp_path / "a.mrc", image.view(np.int8))
    patch(path, 76, "<fff", 0.0, 0.0, 0.0)  # a header without a range
    volume = open_volume(path)
    (warning,) = [line for line in volume.warnings if "mode 0" in line]
    assert "unsigned ones would spread less (20 against 1" in warning and "--unsigned" in warning
    unsigned = open_volume(path, unsigned=True)
    np.testing.assert_array_equal(unsigned.array[:], image)
    assert not [line for line in unsigned.warnings if "mode 0" in line]
    # What spreads less with the sign, and what IMOD has marked, is what it says.
    signed = open_volume(write(tmp_path / "b.mrc", (image.astype(int) - 128).astype(np.int8)))
    assert not [line for line in signed.warnings if "mode 0" in line]
    patch(path, 152, "<ii", 1146047817, 1)
    assert not [line for line in open_volume(path).warnings if "mode 0" in line]
    np.testing.assert_array_equal(open_volume(path, unsigned=False).array[:], image.view(np.int8))


def smooth_noise(rng, low, high):
    """Sections of fine grain whose contrast is equalised: as many pixels of every value of a range."""
    image = rng.normal(0, 1, (4, 62, 82))
    for _ in range(8):
        image = image + np.roll(image, 1, axis=1) + np.roll(image, 1, axis=2)
    ranks = image.ravel().argsort().argsort().reshape(image.shape)
    return (low + ranks / (image.size - 1) * (high - low)).round()


def test_unsigned_bytes_of_stretched_contrast_are_noticed_by_neighbours_that_jump(tmp_path):
    rng = np.random.default_rng(0)
    noticed = {}
    for dtype, low, high in ((np.uint8, 0, 255), (np.uint8, 0, 200), (np.int8, -128, 127), (np.int8, -40, 127)):
        path = write(tmp_path / f"{low}_{high}.mrc", smooth_noise(rng, low, high).astype(dtype).view(np.int8))
        patch(path, 76, "<fff", 0.0, 0.0, 0.0)  # a header without a range
        volume = open_volume(path)
        assert volume.dtype == np.int8
        noticed[low, high] = [line for line in volume.warnings if "mode 0" in line]
    (warning,) = noticed[0, 255]
    assert "fewer neighbours would differ by more than 128 (0." in warning and "--unsigned" in warning
    assert len(noticed[0, 200]) == 1
    assert noticed[-128, 127] == noticed[-40, 127] == []
    # A mask of 0 and 255, and labels, whose edges are the only jumps.
    for values in (np.uint8([0, 255]), np.uint8([0, 1]), np.uint8([0, 100])):
        mask = values[(smooth_noise(rng, 0, 255) > 128).astype(int)]
        path = write(tmp_path / f"mask{values[1]}.mrc", mask.view(np.int8))
        patch(path, 76, "<fff", 0.0, 0.0, 0.0)
        assert not [line for line in open_volume(path).warnings if "mode 0" in line]
