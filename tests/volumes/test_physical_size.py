"""Units of length as programs write them, and what a missing size means."""

import math

import pytest

from segkit.volumes.physical_size import complete_voxel_size, nm_per_unit


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
