import numpy as np
import pytest

from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.preprocessing.resized_slices import colored_slices
from segkit.preprocessing.standardize import Standardize
from segkit.targets.centers import CentersTarget
from segkit.targets.classes import ClassTarget
from segkit.targets.foreground import ForegroundTarget
from segkit.targets.resized_annotations import heatmap_slices, mask_slices

STACK = np.random.default_rng(0).integers(0, 255, (3, 40, 52)).astype(np.uint8)
HALVES = [(slice(None), slice(0, 26)), (slice(None), slice(26, 52))]


def test_a_pixel_belongs_to_an_object_that_takes_half_of_it():
    labels = np.zeros((1, 4, 4), np.uint16)
    labels[0, :, :2] = 700
    masks = mask_slices(labels, 2)
    assert masks.shape == (1, 2, 2)
    np.testing.assert_array_equal(masks[0], [[1, 0], [1, 0]])


def test_pixels_that_nobody_annotated_stay_unknown():
    labels = np.zeros((1, 8, 8), np.uint8)
    labels[0, :, 4:] = 9
    labels[0, :4] = 255
    masks = mask_slices(labels, 4, ignore_value=255)
    np.testing.assert_array_equal(masks[0], [[255] * 4] * 2 + [[0, 0, 1, 1]] * 2)


def test_heatmaps_are_full_at_centres_alone_and_follow_the_windows():
    labels = np.zeros((3, 40, 52), np.uint16)
    labels[:, 4:15, 4:15], labels[1:, 20:36, 30:50] = 3, 8
    heat = heatmap_slices(labels, 32, HALVES, voxel_size=(2, 1, 1))
    assert heat.shape == (6, 32, 32)
    assert heat.dtype == np.uint8
    centres = [int((heat[i] == 255).sum()) for i in range(6)]
    assert sum(centres) == 2
    assert sum(centres[::2]) == sum(centres[1::2]) == 1  # one in the left halves, one in the right


def test_a_run_of_slices_has_centres_of_its_own():
    labels = np.zeros((6, 32, 32), np.uint16)
    labels[:, 8:20, 8:20] = 5
    heat = heatmap_slices(labels, 32, voxel_size=(1, 1, 1), runs=[(0, 3), (3, 4), (5, 6)])
    assert [int((heat[z] == 255).sum()) for z in (0, 1, 2, 3, 5)] == [0, 1, 0, 1, 1]
    with pytest.raises(KeyError):
        heat[4]


def test_maps_become_targets_that_move_with_the_image():
    labels = np.zeros((2, 32, 32), np.uint16)
    labels[:, 3:12, 20:30] = 1
    pair = (
        colored_slices(labels * 100, GreyTriple(), 32),
        mask_slices(labels, 32),
        heatmap_slices(labels, 32, voxel_size=(1, 1, 1)),
    )
    table = tabulate_patches([(pair[1], [0, 1])], patch_shape=(32, 32), stride=32)
    sampler = PatchSampler(
        [pair],
        table,
        batch_size=2,
        preprocessing=ColorSlices(coloring=GreyTriple()),
        target=CentersTarget(),
        augmentation=Augmentation(),
        shuffle=True,
        seed=4,
    )
    moved = set()
    for step in range(8):
        images, targets = sampler.batch(step)
        assert targets.shape == (2, 32, 32, 3)
        np.testing.assert_array_equal(images[..., 0] > 0.5, targets[..., 0] == 1)
        assert (targets[..., 1][targets[..., 1] == 1]).size == 1  # the centre lies in one of the two slices
        place = tuple(np.argwhere(targets[..., 1] == 1)[0])
        assert targets[(*place[:3], 0)] == 1
        moved.add(place[1:])
    assert len(moved) > 2


@pytest.mark.parametrize(
    ("target", "parts"),
    [(ForegroundTarget(), 1), (ClassTarget(num_classes=4), 1), (CentersTarget(), 2)],
    ids=["foreground", "classes", "centers"],
)
def test_bent_annotations_have_no_values_between_those_that_were_drawn(target, parts):
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(0, 2, (1, 8, 8)), np.ones((4, 4)))
    drawn = (squares * (3 if target.channels == 1 else 255)).astype(np.uint8)
    bend = Augmentation(flips=False, turns=False, elastic_px=3.0, elastic_grid_px=8)
    sampler = PatchSampler(
        [(drawn.astype(np.float32), *[drawn] * parts)],
        tabulate_patches([(drawn, [0])], patch_shape=(32, 32), stride=32),
        batch_size=1,
        preprocessing=Standardize(mean=0.0, std=1.0),
        target=target,
        augmentation=bend,
        seed=1,
    )
    images, targets = sampler.batch(0)
    assert not np.array_equal(images[0, ..., 0], drawn[0])  # it was bent
    known = set(np.unique(target([drawn[0]] * parts)[..., :-1]))
    assert set(np.unique(targets[..., :-1])) <= known
    assert np.mean((targets[0, ..., 0] > 0) == (images[0, ..., 0] > drawn.max() / 2)) > 0.95


def test_as_many_classes_as_bytes_hold():
    ClassTarget(num_classes=255)
    for count in (1, 256):
        with pytest.raises(ValueError, match="`num_classes` must be from 2 to 255"):
            ClassTarget(num_classes=count)
