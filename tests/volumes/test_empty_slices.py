"""Empty slices that nobody has painted are told from those without the structure."""

import numpy as np
import pytest

from segkit.volumes.empty_slices import around, between, forgotten


def counts(*voxels):
    return dict(enumerate(voxels))


@pytest.mark.parametrize(
    ("voxels", "expected"),
    [
        ((0, 0, 6, 9, 8, 0), [0, 1, 5]),
        ((0, 0, 3, 9, 8, 0), []),  # it grows: a structure that begins
        ((0, 0, 8, 9, 3, 0), []),  # it shrinks
        ((1, 9, 8, 0, 0), [3, 4]),  # the first slice is the border of the volume
        ((0, 0, 8, 9, 1), [0, 1]),
        ((0, 7, 0), [0, 2]),
        ((0, 0, 0), []),
        ((3, 0, 3), []),
    ],
)
def test_slices_around_a_block_that_breaks_off(voxels, expected):
    assert around(counts(*voxels), 1000) == expected


def test_nothing_is_known_of_a_few_pixels():
    assert around(counts(0, 5, 5, 0), 1000) == [0, 3]
    assert around(counts(0, 5, 5, 0), 1001) == []


def test_nothing_is_known_of_slices_that_are_far_apart():
    assert around({0: 9, 5: 0, 10: 0}, 100) == around({0: 0, 4: 9, 5: 0}, 100) == []
    assert around({3: 0, 4: 9, 5: 0, 8: 0}, 100) == [3, 5, 8]


def test_a_slice_is_forgotten_where_the_same_structure_is_before_and_after():
    mask = np.zeros((7, 20, 40), bool)
    mask[:, 5:15, 5:15] = True
    mask[[1, 3, 4]] = False

    def found(mask, *left_out):
        known = {z: int(mask[z].sum()) for z in range(len(mask)) if z not in left_out}
        return forgotten(known, lambda z: mask[z])

    assert found(mask) == [1]  # two in a row may be a gap
    assert found(mask, 0) == found(mask, 1) == []  # nothing is known of a slice
    moved = mask.copy()
    moved[0] = np.roll(mask[0], 7, axis=1)  # IoU 0.18
    assert found(moved) == []
    moved[0] = np.roll(mask[0], 6, axis=1)  # IoU 0.25
    assert found(moved) == [1]
    small = mask & (np.arange(40) > 11)
    small[5:] = mask[5:]
    small[6] = mask[6]
    assert found(np.concatenate([small[:3], mask[5:], mask[5:]])) == []  # much smaller than the others


def test_what_large_masks_share_by_chance_is_not_the_same_structure():
    rng = np.random.default_rng(0)
    mask = rng.random((3, 100, 100)) < 0.5  # IoU 1/3
    mask[1] = False
    assert forgotten({z: int(mask[z].sum()) for z in range(3)}, lambda z: mask[z]) == []


def test_gaps():
    assert between(counts(0, 5, 0, 0, 7, 0)) == [2, 3]
    assert between(counts(0, 0)) == []
