"""What is said about a volume, in lines and in JSON."""

import json
import pathlib

import numpy as np

from segkit.volumes.description import describe
from segkit.volumes.volume import Volume

VOLUME = Volume(
    array=np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 4,
    voxel_size_nm=(47.5, 4.6, 2.255),
    origin_nm=(0.0, -10.0, 20.0),
    file_axes="xyz",
    format="mrc",
    source=pathlib.Path("T.mrc"),
    warnings=("odd header",),
)


def test_text():
    assert describe(VOLUME).to_text().splitlines() == [
        "volume      T.mrc (mrc)",
        "shape       2 x 3 x 4 (z, y, x)",
        "dtype       int16, 48 bytes",
        "voxel size  47.5 x 4.6 x 2.255 nm (z, y, x)",
        "origin      0 x -10 x 20 nm (z, y, x)",
        "axes        xyz in the file",
        "range       -4 to 19",
        "mean        7.5, standard deviation 6.92219",
        "warning     odd header",
    ]


def test_json():
    content = json.loads(json.dumps(describe(VOLUME).to_dict(), allow_nan=False))
    assert content["shape"] == [2, 3, 4] and content["voxel_size_nm"] == [47.5, 4.6, 2.255]
    assert content["statistics"]["minimum"] == -4 and content["statistics"]["mean"] == 7.5
    assert content["warnings"] == ["odd header"]


def test_what_is_not_known_or_no_number():
    described = describe(Volume(array=np.full((2, 1, 1), np.nan, np.float32)))
    text = described.to_text()
    assert "volume      volume in memory\n" in text and "voxel size  unknown\n" in text
    assert "warning     2 NaN and 0 infinite voxels, the first in slice 0" in text
    content = json.loads(json.dumps(described.to_dict(), allow_nan=False))
    assert content["statistics"]["mean"] is None and content["voxel_size_nm"] is None


def test_progress_counts_slices():
    calls = []
    describe(VOLUME, progress=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]
