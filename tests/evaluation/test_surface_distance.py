"""Distances between surfaces by hand."""

import numpy as np
import pytest

from segkit.evaluation.surface_distance import SurfaceDistance, surface_distance


def box(*spans, shape=(12, 14, 16)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


def test_a_slab_that_is_moved_by_two_slices():
    first, second = box((2, 3), (0, 14), (0, 16)), box((4, 5), (0, 14), (0, 16))
    found = surface_distance(first, second, (40.0, 5.0, 5.0), 80.0)
    assert found == SurfaceDistance(mean=80.0, hausdorff_95=80.0, within=1.0, tolerance=80.0)
    assert surface_distance(first, second, (40.0, 5.0, 5.0), 79.0).within == 0.0


def test_the_same_surface_and_both_directions():
    mask = box((2, 8), (3, 10), (4, 12))
    assert surface_distance(mask, mask, (1, 1, 1), 0.0).mean == 0.0
    far = mask | box((11, 12), (13, 14), (15, 16))  # one voxel far away
    forth, back = (surface_distance(*pair, (1, 1, 1), 0.0) for pair in ((far, mask), (mask, far)))
    assert forth == back
    assert 0 < forth.mean < 0.1 and forth.hausdorff_95 == 0.0 and forth.within > 0.99


def test_only_the_surface_counts():
    solid, hollow = box((1, 9), (1, 9), (1, 9)), box((1, 9), (1, 9), (1, 9))
    hollow[4:6, 4:6, 4:6] = False
    found = surface_distance(hollow, solid, (1, 1, 1), 0.0)
    assert 0 < found.mean < 1 and found.within < 1


def test_slice_by_slice_each_outline_is_compared_with_its_own():
    first, second = np.zeros((3, 9), bool), np.zeros((3, 9), bool)
    first[:, 2:5], second[:, 3:6] = True, True  # two voxels of surface each, 10 off
    second[1] = False
    found = surface_distance(first, second, (1.0, 10.0), 10.0, slice_wise=True)
    assert (found.mean, found.hausdorff_95, found.left_out) == (10.0, 10.0, 1)
    assert found.within == 8 / 10  # the two voxels of the slice that is empty in the other are not
    nowhere = surface_distance(first, np.zeros_like(first), (1.0, 10.0), 10.0, slice_wise=True)
    assert (nowhere.mean, nowhere.within, nowhere.left_out) == (None, None, 3)


def test_what_has_no_surface():
    nothing = np.zeros((3, 4), bool)
    assert surface_distance(nothing, ~nothing, (1, 1), 2.0) == SurfaceDistance(
        mean=None, hausdorff_95=None, within=None, tolerance=2.0
    )
    for arguments in ((nothing, nothing[:2], (1, 1), 0), (nothing, nothing, (1, 0), 0), (nothing, nothing, (1, 1), -1)):
        with pytest.raises(ValueError, match="must be"):
            surface_distance(*arguments)
