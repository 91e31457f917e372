"""Simulated stacks: reproducible, with as many cells as asked for, and as hard as they are said to be."""

import dataclasses

import numpy as np
import pytest
from skimage.measure import label, regionprops

from segkit.data.cell_simulation import A549_SIM, MDA231, TRIC, CellSimulation
from segkit.data.simulated_cells import simulate_cells

SMALL = CellSimulation(shape=(16, 80, 90), count=6, spacing=1.2, voxel_size_um=(1.0, 0.5, 0.5))


@pytest.fixture(scope="module")
def stack():
    return simulate_cells(SMALL, seed=3)


def test_the_same_seed_gives_the_same_stack_and_another_one_another(stack):
    again, other = simulate_cells(SMALL, seed=3), simulate_cells(SMALL, seed=4)
    for first, second in zip(stack, again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (other[1] != stack[1]).any()


def test_there_are_as_many_cells_as_asked_for_with_ids_without_gaps(stack):
    image, labels = stack
    assert image.dtype == np.uint8
    assert image.shape == labels.shape == SMALL.shape
    assert np.unique(labels).tolist() == list(range(7))


def test_cells_have_the_size_that_was_asked_for_in_micrometres():
    settings = dataclasses.replace(SMALL, radius_um=(4, 6, 6), radius_spread=0, irregularity=0, inside=1.1, count=3)
    _, labels = simulate_cells(settings, seed=0)
    volumes = np.bincount(labels.ravel())[1:] * np.prod(settings.voxel_size_um)
    np.testing.assert_allclose(volumes, 4 / 3 * np.pi * 4 * 6 * 6, rtol=0.05)


def test_uneven_cells_are_less_convex_than_ellipsoids():
    def solidity(irregularity):
        settings = dataclasses.replace(SMALL, irregularity=irregularity, inside=1.5, count=3)
        slices = simulate_cells(settings, seed=1)[1].max(axis=0)
        return np.mean([region.solidity for region in regionprops(label(slices > 0))])

    assert solidity(0.0) > 0.95
    assert solidity(0.5) < solidity(0.0) - 0.03


def test_cells_fade_towards_their_top_and_bottom():
    plain = dataclasses.replace(
        SMALL, count=1, inside=1.2, texture=0, blur_um=(0.01, 0.01, 0.01), photons=1000, irregularity=0
    )
    ends = {}
    for fading in (0.0, 0.8):
        image, labels = simulate_cells(dataclasses.replace(plain, fading=fading), seed=0)
        zs = np.flatnonzero(labels.any(axis=(1, 2)))
        means = [image[z][labels[z] > 0].mean() for z in zs]
        ends[fading] = min(means[0], means[-1]) / max(means)
    assert ends[0.0] > 0.95
    assert ends[0.8] < 0.5


def test_noise_is_that_of_counted_photons():
    empty = dataclasses.replace(SMALL, count=0, photons=50, background=1.0, dtype="uint16")
    image, labels = simulate_cells(empty, seed=0)
    assert not labels.any()
    photons = image / (65535 / 3 / 50)
    assert photons.mean() == pytest.approx(50, rel=0.01)
    assert photons.var() == pytest.approx(50, rel=0.03)


def test_16_bits_are_used():
    image, _ = simulate_cells(dataclasses.replace(SMALL, dtype="uint16"), seed=0)
    assert image.dtype == np.uint16
    assert image.max() > 20_000


def test_crowded_cells_touch_and_few_fit_where_there_is_no_room():
    crowded = dataclasses.replace(SMALL, count=60, spacing=0.8)
    labels = simulate_cells(crowded, seed=0)[1]
    assert label(labels > 0).max() < labels.max() < 60


def test_the_sizes_are_those_of_the_challenges_data_sets():
    assert [settings.shape for settings in (A549_SIM, TRIC, MDA231)] == [
        (29, 300, 350),
        (13, 1745, 2440),
        (30, 512, 512),
    ]
    assert A549_SIM.count == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shape": (0, 5, 5)}, "`shape` must be three positive numbers"),
        ({"radius_um": (1, 2)}, "`radius_um` must be three positive numbers"),
        ({"count": -1}, "`count` must not be negative"),
        ({"fading": 1.5}, "`fading` must be in"),
        ({"dtype": "float32"}, "`dtype` must be 'uint8' or 'uint16'"),
    ],
)
def test_impossible_stacks_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        CellSimulation(**values)
