"""Numbers in the names of slices: gaps, and folders that do not go together."""

import numpy as np
import pytest

from segkit.volumes.slice_numbers import missing_slices, other_numbers, slice_numbers
from segkit.volumes.volume import Volume


def names(*numbers, pattern="s{}.png"):
    return [pattern.format(number) for number in numbers]


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        (names(0, 1, 5), (0, 1, 5)),
        (names("008", "009", 10), (8, 9, 10)),
        (names(3, 4, pattern="cell2_{}_raw.tif"), (3, 4)),
        (["s1.tif", "s2.TIFF"], (1, 2)),
        (["z0_t1.png", "z1_t0.png"], None),  # two numbers vary
        (["s0.png", "s1.png", "mean.png"], None),
        (["a0.png", "b1.png"], None),
        (["s1.png", "s01.png", "s2.png"], None),  # one number twice
        (["s1.png"], None),
        ([], None),
    ],
)
def test_names_that_differ_by_a_number(given, numbers):
    assert slice_numbers(given) == numbers


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (names(*range(16)), None),
        (names(*range(100, 200, 5)), None),
        (names(0, 7), None),
        (["one.png", "two.png", "three.png"], None),
        (names(*range(5), *range(6, 16)), "slice 5 is missing between s0.png and s15.png"),
        (names(1, 2, 3, 4, 6, 7, 8, 10), "slices 5 and 9 are missing between s1.png and s10.png"),
        (names(0, 5, 10, 20), "slice 15 is missing between s0.png and s20.png"),
        (names(0, 2, 5), "slices 1, 3 and 4 are missing"),
        (names(0, 1, 9), "slices 2, 3, 4, 5, 6 and 2 more are missing"),
        # Times are not listed one by one.
        (names(1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000), "and 99999999993 more are missing"),
    ],
)
def test_gaps(given, told):
    found = missing_slices(given)
    assert found is None if told is None else told in found


def folder(*numbers):
    return Volume(array=np.zeros((len(numbers), 2, 3)), metadata={"slice_names": tuple(names(*numbers))})


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        ((0, 1, 2), (0, 1, 2), None),
        ((0, 1, 2), (1, 2, 3), None),
        ((0, 1, 3), (1, 2, 4), None),  # the same gap
        ((0, 1, 3, 4), (0, 1, 2, 4), "s3.png would belong to another slice of its image than s2.png"),
        ((0, 1, 2, 3), (0, 1, 3, 4), "s2.png would belong to another slice of its image than s3.png"),
        ((0, 1, 2), (0, 5, 10), "s1.png would belong to another slice of its image than s5.png"),
    ],
)
def test_folders_whose_numbers_do_not_go_together(own, other, told):
    found = other_numbers(folder(*own), folder(*other), "its image")
    assert found is None if told is None else told in found


def test_volumes_without_numbers_are_not_compared():
    plain = Volume(array=np.zeros((3, 2, 3)))
    assert other_numbers(plain, folder(0, 1, 3), "its image") is None
    assert other_numbers(folder(0, 1, 3), plain, "its image") is None
    # Names of another volume that its header was lent from.
    lent = Volume(array=np.zeros((3, 2, 3)), metadata=folder(0, 1).metadata)
    assert other_numbers(lent, folder(0, 1, 3), "its image") is None
