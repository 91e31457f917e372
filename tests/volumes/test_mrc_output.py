"""MRC files that mrcfile, IMOD and segkit read alike."""

import dataclasses
import gzip
import struct

import mrcfile
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.lazy_volume import LazyVolume
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(1)
MASK = (RNG.random((3, 4, 5)) < 0.4).astype(np.uint8)


def imod_words(path):
    with open(path, "rb") as file:
        file.seek(152)
        return struct.unpack("<ii", file.read(8))


@pytest.mark.parametrize(
    ("array", "mode"),
    [
        (MASK, 0),
        (MASK.astype(bool), 0),
        (MASK.astype(np.int64) * 127, 0),
        (MASK * 128, 6),
        (MASK.astype(np.int32) * 40_000, 6),
        (MASK.astype(np.int32) * -200, 1),
        (MASK.astype(np.float64) / 3, 2),
        (MASK.astype(np.float16) / 3, 12),
    ],
)
def test_mode_and_values(tmp_path, array, mode):
    path = tmp_path / "out.mrc"
    save_volume(path, Volume(array=array, voxel_size_nm=(4.0, 2.0, 2.0), origin_nm=(1.0, 2.0, 3.0)))
    with mrcfile.open(path) as file:
        assert int(file.header.mode) == mode
        np.testing.assert_array_equal(file.data, array.astype(file.data.dtype))
        np.testing.assert_allclose(file.data, array, rtol=1e-7 if mode == 2 else 0)
        assert file.voxel_size.z == pytest.approx(40.0) and file.voxel_size.x == pytest.approx(20.0)
        assert tuple(file.header.origin.tolist()) == (30.0, 20.0, 10.0)
        assert (file.header.dmin, file.header.dmax) == (file.data.min(), file.data.max())
        assert file.header.dmean == pytest.approx(file.data.mean(dtype=np.float64), rel=1e-4)
        assert file.header.rms == pytest.approx(file.data.std(dtype=np.float64), rel=1e-4)
    assert mrcfile.validate(path)
    if mode == 0:
        assert imod_words(path) == (1146047817, 1)  # signed for IMOD as well


def test_unknown_voxel_size_stays_unknown(tmp_path):
    save_volume(tmp_path / "out.mrc", Volume(array=MASK))
    assert open_volume(tmp_path / "out.mrc").voxel_size_nm is None


def make_input(path, array, extended=b""):
    with mrcfile.new(path) as file:
        file.set_data(array)
        if extended:
            file.set_extended_header(np.frombuffer(extended, "V1"))
        file.voxel_size = (22.55, 22.55, 47.5)
        file.header.origin = (100.0, 200.0, 300.0)
        file.header.exttyp = b"SERI" if extended else b""
        file.add_label("drawn by hand")
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_header_of_the_input_is_given_on(tmp_path, order):
    source = make_input(tmp_path / "in.mrc", np.zeros(MASK.shape, f"{order}i2"), extended=b"0123456789" * 3)
    save_volume(tmp_path / "out.mrc", Volume(array=MASK), like=open_volume(source))
    with mrcfile.open(tmp_path / "out.mrc") as file:
        np.testing.assert_array_equal(file.data, MASK)
        assert file.extended_header.tobytes() == b"0123456789" * 3
        assert file.header.exttyp == b"SERI"
        assert b"drawn by hand" in file.header.label[1]
        assert tuple(file.header.origin.tolist()) == (100.0, 200.0, 300.0)
        assert file.voxel_size.z == pytest.approx(47.5)
    header = (tmp_path / "out.mrc").read_bytes()[:4]
    assert header == struct.pack(f"{order}i", 5)


def test_part_of_the_input_has_its_own_origin_and_no_extended_header(tmp_path):
    source = open_volume(make_input(tmp_path / "in.mrc", np.zeros((6, 8, 9), np.int16), extended=b"x" * 60))
    part = Volume(array=MASK, origin_nm=(35.0, 21.0, 10.0))
    save_volume(tmp_path / "out.mrc", part, like=source)
    found = open_volume(tmp_path / "out.mrc")
    assert found.origin_nm == pytest.approx((35.0, 21.0, 10.0))
    assert found.voxel_size_nm == pytest.approx(source.voxel_size_nm)
    assert found.metadata["mrc_extended_header"] == b""
    assert found.warnings == ()
    with mrcfile.open(tmp_path / "out.mrc") as file:
        assert (file.header.mx, file.header.my, file.header.mz) == (5, 4, 3)


def test_start_indices_of_the_input_stand(tmp_path):
    path = tmp_path / "in.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.zeros(MASK.shape, np.int8))
        file.voxel_size = 10.0
        file.header.nxstart = 9
    source = open_volume(path)
    save_volume(tmp_path / "out.mrc", Volume(array=MASK), like=source)
    assert open_volume(tmp_path / "out.mrc").origin_nm == source.origin_nm == pytest.approx((0.0, 0.0, 9.0))
    with mrcfile.open(tmp_path / "out.mrc") as file:
        assert file.header.nxstart == 9 and file.header.origin.x == 0


def test_old_header_without_its_mark_becomes_a_sound_one(tmp_path):
    path = make_input(tmp_path / "in.mrc", np.zeros(MASK.shape, np.int16))
    with open(path, "r+b") as file:
        file.seek(196)
        file.write(struct.pack("<6f", 7.0, 7.0, 7.0, 4640.0, 0.0, 0.0))
    save_volume(tmp_path / "out.mrc", Volume(array=MASK), like=open_volume(path))
    assert mrcfile.validate(tmp_path / "out.mrc")
    found = open_volume(tmp_path / "out.mrc")
    assert (found.origin_nm, found.warnings) == ((0.0, 0.0, 0.0), ())
    assert found.voxel_size_nm == pytest.approx((4.75, 2.255, 2.255))


@pytest.mark.parametrize("axes", ["zyx", "xyz", "yxz"])
@pytest.mark.parametrize("lazy", [False, True])
def test_axis_order_is_kept(tmp_path, axes, lazy):
    array = LazyVolume(lambda region: MASK[region], MASK.shape, MASK.dtype) if lazy else MASK
    save_volume(tmp_path / "out.mrc", Volume(array=array, voxel_size_nm=(3.0, 2.0, 1.0), file_axes=axes))
    found = open_volume(tmp_path / "out.mrc")
    np.testing.assert_array_equal(np.asarray(found.array), MASK)
    assert (found.file_axes, found.voxel_size_nm) == (axes, pytest.approx((3.0, 2.0, 1.0)))
    with mrcfile.open(tmp_path / "out.mrc") as file:
        np.testing.assert_array_equal(file.data, MASK.transpose(["zyx".index(axis) for axis in axes]))


@pytest.mark.parametrize("suffix", [".mrc.gz", ".mrc.bz2"])
def test_compressed_output(tmp_path, suffix):
    for name in ("one", "two"):
        save_volume(tmp_path / (name + suffix), Volume(array=MASK, voxel_size_nm=(1.0, 2.0, 3.0)))
    with mrcfile.open(tmp_path / f"one{suffix}") as file:
        np.testing.assert_array_equal(file.data, MASK)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    if suffix == ".mrc.gz":
        assert len(gzip.decompress((tmp_path / "one.mrc.gz").read_bytes())) == 1024 + MASK.size


def test_slices_are_read_one_at_a_time(tmp_path):
    asked = []

    def read(region):
        asked.append(region[0])
        return MASK[region]

    calls = []
    volume = Volume(array=LazyVolume(read, MASK.shape, MASK.dtype))
    save_volume(tmp_path / "out.mrc", volume, progress=lambda done, total: calls.append((done, total)))
    assert [part.stop - part.start for part in asked] == [1] * 6
    assert calls == [(k, 6) for k in range(1, 7)]


def test_labels_beyond_16_bits(tmp_path):
    labels = Volume(array=np.array([[[0, 2**24 + 1]]]))
    with pytest.raises(InputError, match=r"int64 values from 0 to 16777217, expected .*write \.h5"):
        save_volume(tmp_path / "out.mrc", labels)
    assert not list(tmp_path.iterdir())


def test_saved_twice_is_labelled_once(tmp_path):
    save_volume(tmp_path / "a.mrc", Volume(array=MASK))
    again = dataclasses.replace(open_volume(tmp_path / "a.mrc"), array=MASK)
    save_volume(tmp_path / "b.mrc", again)
    with mrcfile.open(tmp_path / "b.mrc") as file:
        assert int(file.header.nlabl) == 1
