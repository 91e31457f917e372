"""Units of length as programs write them, and what a missing size means."""

import math

import numpy as np
import pytest

from segkit.volumes.physical_size import complete_voxel_size, nm_per_unit, other_voxels
from segkit.volumes.volume import Volume


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("nm", 1.0),
        (" Micron ", 1e3),
        ("µm", 1e3),  # micro sign
        ("μm", 1e3),  # Greek mu
        ("\\u00B5m", 1e3),  # as Fiji writes it
        ('"inch"', 2.54e7),
        ("Å", 0.1),
        ("\u212b", 0.1),  # angstrom sign
        ("pixel", None),
        ("", None),
        (None, None),
    ],
)
def test_units(unit, nm):
    assert nm_per_unit(unit) == nm


def test_a_whole_size_is_taken_as_it_is():
    warnings = []
    assert complete_voxel_size(3, 2, 1, 10, warnings) == (3.0, 2.0, 1.0)
    assert warnings == []


@pytest.mark.parametrize("bad", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_pixel_without_a_size_leaves_it_unknown(bad):
    warnings = []
    assert complete_voxel_size(3.0, bad, 1.0, 10, warnings) is None
    assert "does not give the size of a pixel" in warnings[0]


def test_only_a_single_slice_may_have_no_thickness():
    warnings = []
    assert complete_voxel_size(None, 2.0, 1.0, 1, warnings) == (1.0, 2.0, 1.0)
    assert complete_voxel_size(None, 2.0, 1.0, 2, warnings) is None
    assert [text.split(";")[0] for text in warnings] == [
        "the thickness of the only slice is not in the file",
        "voxel size unknown: the pixels are 2 x 1 nm, but the file gives no slice distance",
    ]


@pytest.mark.parametrize(
    ("sizes", "differ"),
    [
        (((5.0, 5.0, 5.0), (8.0, 8.0, 8.0)), True),
        (((5.0, 5.0, 5.0), (5.0, 5.0, 8.0)), True),
        (((48.0, 4.6, 4.6), (50.0, 4.6, 4.6)), False),  # rounded
        (((5.0, 5.0, 5.0), (5.3, 5.0, 5.0)), True),
        ((None, (8.0, 8.0, 8.0)), False),
        (((5.0, 5.0, 5.0), None), False),
        (((0.1, 0.1, 0.1), (8.0, 8.0, 8.0)), False),  # 1 angstrom, which stands for nothing
        (((5.0, 5.0, 5.0), (1e6, 1e6, 1e6)), False),  # 1 mm
        (((5.0, 5.0, 5.0), (1e3, 1e3 * (1 + 1e-7), 1e3)), False),  # 1 micrometre, as a fraction in a TIFF file
        (((1.0, 1.0, 1.0), (2.0, 2.0, 2.0)), True),
    ],
)
def test_voxels_of_two_sizes(sizes, differ):
    volumes = [Volume(array=np.zeros((2, 3, 4)), voxel_size_nm=size) for size in sizes]
    assert (other_voxels(*volumes, "the other") is not None) == differ
    assert (other_voxels(*reversed(volumes), "the other") is not None) == differ


def test_the_thickness_of_a_single_slice_is_not_compared():
    thin, thick = (Volume(array=np.zeros((1, 3, 4)), voxel_size_nm=(size, 2.0, 2.0)) for size in (2.0, 50.0))
    assert other_voxels(thin, thick, "the other") is None
    finer = Volume(array=np.zeros((1, 3, 4)), voxel_size_nm=(2.0, 2.0, 1.0))
    assert other_voxels(thin, finer, "the other").endswith("(z, y, x), but the other of 2 x 2 x 1 nm (z, y, x)")
