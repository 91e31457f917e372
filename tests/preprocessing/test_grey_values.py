"""What grey values are like, and when they are not those of a training."""

import numpy as np
import pytest

from segkit.preprocessing.grey_values import (
    GreyValues,
    better_reading,
    grey_mismatch,
    grey_values_of,
    measure_grey_values,
    sampled_values,
)

RNG = np.random.default_rng(0)
SKEWED = np.clip(120 - RNG.gamma(2.0, 12.0, (4, 40, 50)), 0, 255).round()
"""Dark structures on a bright ground, as stained sections have them; 0 to 120."""

TRAINED = grey_values_of(SKEWED, "uint8")
ALL = ("mean", "deviation", "polarity")


def test_moments():
    found = grey_values_of(np.array([0, 0, 0, 4], np.uint8), "uint8")
    assert (found.mean, found.std) == (1.0, pytest.approx(3**0.5))
    assert grey_values_of(np.full(9, 7), "int8") == GreyValues(dtype="int8", mean=7.0, std=0.0, skewness=0.0)
    assert grey_values_of(np.zeros(0), "float32") == GreyValues(dtype="float32", mean=0.0, std=0.0)
    assert TRAINED.skewness < -0.8
    assert grey_values_of(-SKEWED, "float32").skewness == pytest.approx(-TRAINED.skewness)
    beads = SKEWED.copy()
    beads[0, 0, :7] = -5000  # fewer than a thousandth
    assert grey_values_of(beads, "float32").skewness == pytest.approx(TRAINED.skewness, abs=0.1)


def test_three_slices_of_every_volume_are_looked_at_and_voxels_that_are_no_numbers_are_not():
    first = np.arange(10.0)[:, None, None] * np.ones((1, 2, 3))
    assert sorted({*sampled_values([(first, range(10))]).tolist()}) == [0.0, 4.0, 9.0]
    assert sorted({*sampled_values([(first, [1, 2]), (first + 100, [7])]).tolist()}) == [1.0, 2.0, 107.0]
    assert len(sampled_values([(first, range(10))] * 100)) == 24 * 6
    first[4, 0, 0] = np.nan
    assert sampled_values([(first, [4])]).tolist() == [4.0] * 5
    assert measure_grey_values([(first.astype(np.float16), [4])]).dtype == "float16"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (SKEWED, []),
        (0.8 * (SKEWED - SKEWED.mean()) + SKEWED.mean(), []),
        (SKEWED + 0.3 * SKEWED.std(), []),
        (SKEWED + 0.5 * SKEWED.std(), ["mean"]),
        (SKEWED - 0.5 * SKEWED.std(), ["mean"]),
        (SKEWED + 60, ["mean"]),
        (SKEWED.mean() + 1.4 * (SKEWED - SKEWED.mean()), []),
        (SKEWED.mean() + 1.6 * (SKEWED - SKEWED.mean()), ["deviation"]),
        (SKEWED.mean() + 0.6 * (SKEWED - SKEWED.mean()), ["deviation"]),
        ((SKEWED - SKEWED.mean()) / SKEWED.std(), ["mean", "deviation"]),
        (2 * SKEWED.mean() - SKEWED, ["polarity"]),
        (255 - SKEWED, ["mean", "polarity"]),
        (3 * SKEWED - 2 * SKEWED.mean(), ["deviation"]),
    ],
)
def test_differences(values, expected):
    found = grey_values_of(values, "float32")
    assert found.differences(TRAINED) == expected
    told = grey_mismatch(found, TRAINED, ALL)
    assert (told is not None) == bool(expected)
    if told:
        assert ("--invert" in told) == ("polarity" in expected)
        assert ("--match-grey-values" in told) == bool({"mean", "deviation"} & {*expected})
        assert grey_mismatch(found, TRAINED, ()) is None


def test_light_and_dark_that_cannot_be_told_apart_are_no_difference():
    even = RNG.normal(TRAINED.mean, TRAINED.std, 5000)
    assert grey_values_of(even, "float32").differences(TRAINED) == []
    assert (
        grey_values_of(2 * SKEWED.mean() - SKEWED, "float32").differences(
            GreyValues(dtype="uint8", mean=TRAINED.mean, std=TRAINED.std)
        )
        == []
    )


UNSIGNED = (SKEWED + 40).astype(np.uint8)  # 40 to 160: in both halves of the bytes
SIGNED = (UNSIGNED.astype(int) - 128).astype(np.int8)


@pytest.mark.parametrize(
    ("stored", "trained_on"),
    [
        (UNSIGNED, UNSIGNED),
        (SIGNED, SIGNED),
        (SIGNED, UNSIGNED),  # shifted by 128
        (UNSIGNED, SIGNED),
        (UNSIGNED.view(np.int8), UNSIGNED),  # as MRC mode 0 without a stamp is read
        (SIGNED.view(np.uint8), SIGNED),
        (UNSIGNED.view(np.int8), SIGNED),  # both at once
        (SIGNED.view(np.uint8), UNSIGNED),
    ],
)
def test_bytes_of_every_kind_become_those_of_the_training(stored, trained_on):
    trained = grey_values_of(trained_on, str(trained_on.dtype))
    reading = better_reading(stored, trained)
    found = stored if reading is None else reading(stored)
    assert found.dtype == trained_on.dtype
    np.testing.assert_array_equal(found, trained_on)
    assert (reading is None) == (stored is trained_on)


@pytest.mark.parametrize(
    ("stored", "trained"),
    [
        (UNSIGNED.astype(np.int16), TRAINED),
        (UNSIGNED, GreyValues(dtype="float32", mean=-50.0, std=20.0)),
        (RNG.integers(0, 256, (4, 40, 50)).astype(np.uint8), grey_values_of(SIGNED, "int8")),  # no reading fits
        (np.zeros((2, 3), np.uint8), grey_values_of(SIGNED, "int8")),
    ],
)
def test_what_cannot_be_proven_stays_as_it_is(stored, trained):
    assert better_reading(stored, trained) is None
