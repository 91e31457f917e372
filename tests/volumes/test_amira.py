"""AmiraMesh files: headers as Amira and Avizo write them, with raw and packed voxels."""

import zlib

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.volumes.files import open_volume

LABELS = np.zeros((3, 8, 9), np.uint8)
LABELS[1, 2:5, 3:] = 1
LABELS[2, :, ::2] = 2

HEADER = """# {kind} 2.1

define Lattice {x} {y} {z}

Parameters {{
    Materials {{
        Exterior {{ Id 1 }}
        Inside {{ Id 2, Color 1 0 0 }}
    }}
    {units}
    Content "{x}x{y}x{z} byte, uniform coordinates",
    BoundingBox 0 {bx} 10 {by} 0 {bz},
    CoordType "{coordinates}"
}}

Lattice {{ {type} Labels }} @1{packing}

# Data section follows
@1
"""


def packed_runs(data):
    """The simplest packing: runs of equal bytes, and a single byte as it is."""
    found, at = bytearray(), 0
    while at < len(data):
        count = 1
        while at + count < len(data) and count < 127 and data[at + count] == data[at]:
            count += 1
        found += bytes([0x81, data[at]]) if count == 1 else bytes([count, data[at]])
        at += count
    return bytes(found)


def write(path, array=LABELS, *, packing="", kind="AmiraMesh BINARY-LITTLE-ENDIAN", **changes):
    z, y, x = array.shape
    data = array.tobytes()
    stored = {"": data, "HxByteRLE": packed_runs(data), "HxZip": zlib.compress(data)}[packing]
    names = {"uint8": "byte", "int16": "short", "uint16": "ushort", "float32": "float"}
    facts = {
        "units": 'Units { Coordinates "µm" }',
        "coordinates": "uniform",
        "type": names.get(array.dtype.newbyteorder("=").name),
        "packing": f"({packing},{len(stored)})" if packing else "",
        **changes,
    }
    box = {"bx": 0.004 * (x - 1), "by": 10 + 0.005 * (y - 1), "bz": 0.04 * (z - 1)}
    path.write_bytes(HEADER.format(kind=kind, x=x, y=y, z=z, **box, **facts).encode("latin-1") + stored + b"\n")
    return path


@pytest.mark.parametrize("packing", ["", "HxByteRLE", "HxZip"])
@pytest.mark.parametrize("kind", ["AmiraMesh BINARY-LITTLE-ENDIAN", "Avizo BINARY-LITTLE-ENDIAN"])
def test_labels(tmp_path, packing, kind):
    volume = open_volume(write(tmp_path / "a.am", packing=packing, kind=kind))
    np.testing.assert_array_equal(volume.array[:], LABELS)
    np.testing.assert_array_equal(volume.array[1:, 2, ::-3], LABELS[1:, 2, ::-3])
    assert (volume.format, volume.warnings) == ("amira", ())
    assert volume.voxel_size_nm == pytest.approx((40.0, 5.0, 4.0))


@pytest.mark.parametrize(
    ("dtype", "kind"), [("<i2", "LITTLE-ENDIAN"), (">i2", ""), ("<f4", "LITTLE-ENDIAN"), (">u2", "")]
)
def test_types_and_byte_orders(tmp_path, dtype, kind):
    array = (LABELS.astype(np.int32) * 300).astype(dtype)
    binary = "AmiraMesh BINARY-LITTLE-ENDIAN" if kind else "AmiraMesh 3D BINARY"
    volume = open_volume(write(tmp_path / "a.am", array, kind=binary))
    assert volume.dtype.isnative and volume.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(volume.array[:], array)


def test_a_box_without_a_unit(tmp_path):
    volume = open_volume(write(tmp_path / "a.am", units=""))
    assert volume.voxel_size_nm is None
    assert (
        "voxel size unknown: the file gives no unit of length, only the bounding box 0 0.032 10" in volume.warnings[0]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "AmiraMesh 3D ASCII"}, "found 'AmiraMesh 3D ASCII 2.1', expected binary numbers"),
        ({"type": "float[3]"}, r"found float\[3\] voxels, expected single numbers"),
        ({"type": "complex"}, "found complex voxels"),
        ({"coordinates": "stacked"}, "found stacked coordinates, expected a uniform grid"),
        ({"packing": "HxZip", "type": "short"}, "damaged: found 216 unpacked bytes, expected 432"),
    ],
)
def test_what_is_not_read(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        open_volume(write(tmp_path / "a.am", **changes))


def test_damage(tmp_path):
    whole = write(tmp_path / "a.am").read_bytes()
    (tmp_path / "a.am").write_bytes(whole[:-30])
    with pytest.raises(InputError, match="cut off: found"):
        open_volume(tmp_path / "a.am")
    packed = bytearray(write(tmp_path / "b.am", packing="HxZip").read_bytes())
    packed[-10] ^= 255
    (tmp_path / "b.am").write_bytes(packed)
    with pytest.raises(InputError, match="cannot be read as AmiraMesh"):
        open_volume(tmp_path / "b.am")
    header = whole.replace(b"Lattice 9 8 3", b"Lattice 9 8 9999999").replace(b"} @1\n", b"} @1(HxByteRLE,216)\n")
    (tmp_path / "c.am").write_bytes(header)
    with pytest.raises(InputError, match="216 packed bytes cannot hold"):
        open_volume(tmp_path / "c.am")
    (tmp_path / "d.am").write_bytes(b"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\n")
    with pytest.raises(InputError, match="found no lattice of voxels"):
        open_volume(tmp_path / "d.am")
