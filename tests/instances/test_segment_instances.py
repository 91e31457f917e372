"""Instances of balls whose number and place are known."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from partition import is_same_partition
from skimage.measure import label

from segkit.errors import InputError
from segkit.instances.instance_settings import METHODS, InstanceSettings, median_settings
from segkit.instances.join_slices import join_slices
from segkit.instances.label_overlaps import count_overlaps
from segkit.instances.saddles import find_saddles, join_shallow, peaks_of
from segkit.instances.seeds import grown_peaks, peak_seeds, split_seeds
from segkit.instances.segment_instances import distance_inside, segment_instances

VOXEL_SIZE = (2.0, 1.0, 1.0)


def balls(centers, radius, shape=(14, 40, 60)):
    """Return balls of a physical radius as ids, the nearest centre taking what two would share."""
    grid = np.stack(np.meshgrid(*(np.arange(n) * v for n, v in zip(shape, VOXEL_SIZE, strict=True)), indexing="ij"), -1)
    distances = np.stack([np.linalg.norm(grid - np.array(center), axis=-1) for center in centers])
    return np.where(distances.min(axis=0) < radius, distances.argmin(axis=0) + 1, 0)


APART = balls([(13, 12, 12), (13, 28, 45)], 8)
TOUCHING = balls([(13, 20, 20), (13, 20, 33)], 8)


def heatmap_of(truth):
    heat = np.zeros(truth.shape)
    for number in np.unique(truth)[1:]:
        z, y, x = np.argwhere(truth == number).mean(axis=0).round().astype(int)
        heat[z, y, x] = 1
    return heat


@pytest.mark.parametrize("slice_wise", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_balls_that_do_not_touch_are_found_exactly_by_every_method(method, slice_wise):
    heatmap = np.repeat(heatmap_of(APART).max(axis=0)[None], len(APART), axis=0)
    found = segment_instances(
        (APART > 0).astype(np.float32),
        InstanceSettings(method=method, slice_wise=slice_wise),
        voxel_size=VOXEL_SIZE,
        heatmap=heatmap,
    )
    assert is_same_partition(found, APART)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("method", ["distance", "centers"])
def test_balls_that_touch_are_parted_where_they_do(method):
    settings = InstanceSettings(method=method, seed_distance=6)
    found = segment_instances(
        (TOUCHING > 0).astype(float), settings, voxel_size=VOXEL_SIZE, heatmap=heatmap_of(TOUCHING)
    )
    assert found.max() == 2
    iou = count_overlaps(TOUCHING, found).iou
    assert np.sort(iou)[-2:].min() > 0.95


def test_components_take_what_touches_for_one():
    assert segment_instances(TOUCHING > 0, InstanceSettings(method="components")).max() == 1


def test_the_voxel_size_decides_what_is_round():
    """A pile that is a ball in nanometres looks like a plate in voxels, and the other way round."""
    ball = balls([(13, 20, 30)], 9) > 0
    distance = distance_inside(ball, VOXEL_SIZE)
    assert distance.max() == pytest.approx(9, abs=1.5)
    stretched = distance_inside(ball, (1, 1, 1))
    assert stretched.max() < 0.7 * distance.max()


def test_a_piece_that_no_centre_lies_in_is_an_object_too():
    only_first = np.where(TOUCHING == 1, heatmap_of(TOUCHING), 0)
    lone = APART.copy()
    found = segment_instances(
        (lone > 0).astype(float), InstanceSettings(method="centers"), heatmap=heatmap_of(np.where(lone == 1, 1, 0))
    )
    assert is_same_partition(found, lone)
    assert segment_instances(TOUCHING > 0, InstanceSettings(method="centers"), heatmap=only_first).max() == 1


def test_small_objects_are_left_out_and_holes_filled():
    probability = (APART > 0).astype(float)
    probability[0, 0, :5] = 1
    probability[6, 12, 12] = 0
    found = segment_instances(probability, InstanceSettings(method="components", min_size=6))
    assert is_same_partition(found, APART)
    kept = segment_instances(probability, InstanceSettings(method="components", min_size=5, fill=False))
    assert kept.max() == 3
    assert kept[6, 12, 12] == 0


def test_nothing_is_found_in_nothing():
    for slice_wise in (False, True):
        for method in METHODS:
            settings = InstanceSettings(method=method, slice_wise=slice_wise)
            found = segment_instances(np.zeros((2, 5, 5)), settings, heatmap=np.zeros((2, 5, 5)))
            assert found.max() == 0


def test_slices_are_joined_as_join_slices_does():
    settings = InstanceSettings(method="components", slice_wise=True, fill=False)
    expected = join_slices(np.where(APART > 0, APART, 0))
    np.testing.assert_array_equal(segment_instances(APART > 0, settings), expected)


def test_a_flat_peak_is_one_seed_and_lower_ones_within_the_box_are_none():
    heights = np.array([[0, 3, 3, 0, 0, 2, 0, 0, 1.0]])
    found = {
        choice: peak_seeds(heights, distance=choice[0], voxel_size=(1, 1), above=choice[1]).tolist()
        for choice in ((2, 0), (2, 1.5), (3, 0))
    }
    assert found[2, 0] == [[0, 1, 1, 0, 0, 2, 0, 0, 3]]
    assert found[2, 1.5] == [[0, 1, 1, 0, 0, 2, 0, 0, 0]]
    assert found[3, 0] == [[0, 1, 1, 0, 0, 0, 0, 0, 0]]


def test_peaks_of_one_height_within_the_box_are_one_seed():
    heights = np.zeros((1, 9, 30), np.float32)
    for x in (2, 5, 8, 20):
        heights[0, 4, x] = 1
    found = {
        d: peak_seeds(heights, distance=d, voxel_size=(1, 1, 1))[0, 4, [2, 5, 8, 20]].tolist() for d in (2, 3, 11, 12)
    }
    assert found == {2: [1, 2, 3, 4], 3: [1, 1, 1, 2], 11: [1, 1, 1, 2], 12: [1, 1, 1, 1]}
    heights[0, 4, [2, 5, 8, 20]] = 0
    heights[0, 1, 10] = heights[0, 5, 14] = 1  # diagonally: four apart along both
    assert [peak_seeds(heights, distance=d, voxel_size=(1, 1, 1)).max() for d in (3, 4)] == [2, 1]


def test_an_ellipse_is_one_object_even_where_its_ridge_is_flat():
    """Distances in voxels tie along the long axis."""
    y, x = np.mgrid[:80, :120]
    for number in range(10):
        rng = np.random.default_rng(number)
        turn, cy, cx = rng.uniform(0, np.pi), 40 + rng.uniform(-1, 1), 60 + rng.uniform(-1, 1)
        along = (y - cy) * np.cos(turn) + (x - cx) * np.sin(turn)
        across = (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
        ellipse = ((along / rng.uniform(18, 30)) ** 2 + (across / rng.uniform(8, 14)) ** 2 < 1)[None]
        settings = InstanceSettings(method="distance", seed_distance=15.0, smoothing=0.0)
        assert segment_instances(ellipse, settings).max() == 1


@pytest.mark.parametrize("slice_wise", [False, True])
def test_an_object_is_cut_where_it_narrows_enough(slice_wise):
    """Two squares of half width 10 with a neck between them: of 18 the depth is 0.1, of 8 it is 0.6."""
    for neck, expected in ((18, {0.05: 2, 0.15: 1}), (8, {0.15: 2, 0.5: 2, 0.7: 1})):
        mask = np.zeros((2, 30, 60), bool)
        mask[:, 5:25, 5:25] = mask[:, 5:25, 35:55] = True
        mask[:, 15 - neck // 2 : 15 + neck // 2, 25:35] = True
        for depth, count in expected.items():
            settings = InstanceSettings(seed_distance=3.0, smoothing=0.0, min_depth=depth, slice_wise=slice_wise)
            assert segment_instances(mask, settings, voxel_size=(1000.0, 1.0, 1.0)).max() == count


def test_pieces_are_joined_from_the_highest_saddle_down():
    peaks = np.array([0, 10.0, 9.0, 8.0, 5.0])
    pairs, saddles = np.array([[1, 2], [2, 3], [3, 4]]), np.array([8.5, 7.9, 1.0])
    joined = {depth: join_shallow(peaks, pairs, saddles, min_depth=depth).tolist() for depth in (0, 0.02, 0.1, 0.9)}
    assert joined == {0: [0, 1, 2, 3, 4], 0.02: [0, 1, 2, 2, 4], 0.1: [0, 1, 1, 1, 4], 0.9: [0, 1, 1, 1, 1]}


def test_saddles_are_the_highest_faces_of_borders():
    labels = np.array([[1, 1, 2], [1, 3, 2], [0, 3, 2]])
    heights = np.array([[9, 4, 6], [5, 8, 7], [0, 2, 3.0]])
    pairs, saddles = find_saddles(labels, heights)
    assert dict(zip(map(tuple, pairs.tolist()), saddles.tolist(), strict=True)) == {(1, 2): 4, (1, 3): 5, (2, 3): 7}
    pairs, saddles = find_saddles(np.zeros((2, 2), int), np.zeros((2, 2)))
    assert pairs.shape == (0, 2)
    assert join_shallow(np.zeros(1), pairs, saddles, min_depth=0.1).tolist() == [0]


def test_a_hole_in_a_single_slice_is_filled():
    mask = np.zeros((1, 12, 12), bool)
    mask[0, 2:10, 2:10] = True
    mask[0, 5:7, 5:7] = False
    for slice_wise in (False, True):
        settings = InstanceSettings(method="components", slice_wise=slice_wise)
        assert segment_instances(mask, settings)[0, 5, 5] == 1
        assert segment_instances(np.repeat(mask, 3, axis=0), settings)[1, 5, 5] == slice_wise  # a tunnel in 3-D


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "magic"}, "instances: method 'magic'; give one of components, distance, centers"),
        ({"threshold": 1.5}, "threshold 1.5; give a number from 0 to 1"),
        ({"seed_distance": -1}, "seed_distance -1; give 0 or more"),
        ({"colour": 3}, "instances: .*colour"),
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        InstanceSettings.from_dict(values)


def test_settings_survive_a_card():
    settings = InstanceSettings(method="centers", min_size=30)
    assert InstanceSettings.from_dict(settings.to_dict()) == settings


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="`heatmap` must be given"):
        segment_instances(np.zeros((1, 2, 2)), InstanceSettings(method="centers"))
    with pytest.raises(ValueError, match=r"must be \(z, y, x\)"):
        segment_instances(np.zeros((2, 2)), InstanceSettings())
    with pytest.raises(ValueError, match="`voxel_size` must be 2 positive numbers"):
        peak_seeds(np.zeros((2, 2)), distance=1, voxel_size=(1, 0))
    with pytest.raises(ValueError, match="`distance` must not be negative"):
        peak_seeds(np.zeros((2, 2)), distance=-1, voxel_size=(1, 1))


@pytest.mark.parametrize("method", ["distance", "centers"])
@given(
    mask=nps.arrays(bool, (2, 6, 9)), heights=nps.arrays(np.float32, (2, 6, 9), elements=st.sampled_from([0, 0.5, 1]))
)
@hypothesis.settings(max_examples=40)
def test_what_does_not_touch_is_never_one_object(method, mask, heights):
    """Seeds that tie are one, also where background lies between them."""
    settings = InstanceSettings(method=method, seed_distance=3, fill=False)
    found = segment_instances(mask, settings, heatmap=heights)
    np.testing.assert_array_equal(found > 0, mask)
    for number in range(1, found.max() + 1):
        assert label(found == number, connectivity=1).max() == 1


def test_seeds_are_split_by_the_pieces_they_lie_in():
    seeds, pieces = np.array([[2, 2, 0, 2, 1, 1, 3]]), np.array([[4, 4, 0, 9, 9, 0, 0]])
    assert split_seeds(seeds, pieces).tolist() == [[1, 1, 0, 2, 3, 0, 0]]


def test_an_object_that_fills_the_volume_is_one():
    for method in METHODS:
        full = np.ones((2, 5, 7))
        assert segment_instances(full, InstanceSettings(method=method), heatmap=full).max() == 1
    assert np.ptp(distance_inside(full > 0, VOXEL_SIZE)) == 0


@pytest.mark.parametrize("voxel_size", [(0, 1, 1), (1, 1), (1, 1, -1), (1, float("nan"), 1)])
def test_a_wrong_voxel_size_is_refused(voxel_size):
    with pytest.raises(ValueError, match="`voxel_size` must be three positive numbers"):
        segment_instances(APART > 0, InstanceSettings(), voxel_size=voxel_size)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"seed_distance": float("nan")}, "seed_distance nan; give a number"),
        ({"smoothing": float("inf")}, "smoothing inf; give a number"),
        ({"slice_wise": "no"}, "slice_wise 'no'; give true or false"),
        ({"fill": 1}, "fill 1; give true or false"),
    ],
)
def test_settings_of_a_card_are_checked(setting, message):
    with pytest.raises(InputError, match=message):
        InstanceSettings.from_dict(setting)


def test_voxels_are_cubes_unless_told_otherwise():
    probability = np.random.default_rng(0).random((6, 24, 24)) ** 0.3
    settings = InstanceSettings(seed_distance=4.0)
    cubes = segment_instances(probability, settings, voxel_size=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(segment_instances(probability, settings), cubes)
    assert (segment_instances(probability, settings, voxel_size=(2.0, 1.0, 1.0)) != cubes).any()


def test_heights_of_objects_by_id():
    labels, heights = np.array([0, 2, 2, 4]), np.array([0.9, 0.25, 0.5, 0.75])
    np.testing.assert_array_equal(peaks_of(labels, heights, 4), [0, 0, 0.5, 0, 0.75])


def test_settings_of_several_models_are_averaged_by_their_median():
    two = [InstanceSettings(min_size=25, threshold=0.25), InstanceSettings(min_size=30, threshold=0.5, min_iou=0.75)]
    found = median_settings(two)
    assert (found.min_size, found.threshold, found.min_iou) == (28, 0.375, 0.5)
    assert isinstance(found.min_size, int)
    assert median_settings([*two, two[0]]) == two[0]
    for other in (InstanceSettings(fill=False), InstanceSettings(method="components")):
        with pytest.raises(InputError, match="only models that separate objects in the same way can be averaged"):
            median_settings([two[0], other])


def test_peaks_grow_by_half_a_box_in_voxels_of_each_axis():
    is_peak = np.zeros((11, 11), bool)
    is_peak[5, 5] = True
    grown = grown_peaks(is_peak, distance=6.0, voxel_size=(2.0, 1.0))
    assert (grown.any(axis=1).sum(), grown.any(axis=0).sum(), grown.sum()) == (3, 6, 18)
