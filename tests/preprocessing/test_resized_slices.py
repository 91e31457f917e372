import threading

import numpy as np
import pytest
from keras import ops

from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.ops.resize_bilinear import resize_bilinear
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import WHITE, GreyTriple
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.resized_slices import colored_slices, resized
from segkit.targets.resized_annotations import mask_slices

STACK = np.random.default_rng(0).integers(0, 255, (3, 40, 52)).astype(np.uint8)
HALVES = [(slice(None), slice(0, 26)), (slice(None), slice(26, 52))]


@pytest.mark.parametrize("shape", [(40, 52), (16, 16), (9, 70), (20, 30, 3)])
def test_slices_are_resized_as_the_network_does(shape):
    image = np.random.default_rng(1).random(shape).astype(np.float32)
    by_network = resize_bilinear(image.reshape(1, *shape[:2], -1), (16, 16))[0]
    np.testing.assert_allclose(resized(image, 16).reshape(16, 16, -1), ops.convert_to_numpy(by_network), atol=1e-5)


def test_coloured_slices_are_those_of_the_colouring_to_the_16th_bit():
    coloring = Pseudocoloring(tiles=2, expected_share=0.3)
    slices = colored_slices(STACK, coloring, 32)
    assert slices.shape == (3, 32, 32, 3)
    for z, image in enumerate(coloring.color(STACK, range(3))):
        np.testing.assert_allclose(slices[z] / WHITE, resized(image, 32), atol=0.5 / WHITE + 1e-6)


def test_windows_of_a_slice_follow_each_other():
    slices = colored_slices(STACK, GreyTriple(), 20, HALVES)
    (image,) = GreyTriple().color(STACK, [2])
    assert slices.shape == (6, 20, 20, 3)
    for place, window in enumerate(HALVES):
        np.testing.assert_allclose(slices[4 + place] / WHITE, resized(image[window], 20), atol=1e-4)
    np.testing.assert_array_equal(slices[4, 3:7, 2:9], slices[4][3:7, 2:9])


def test_a_slice_is_made_once_when_it_is_first_read():
    made = []

    class Counting(GreyTriple):
        def color(self, stack, slices):
            made.extend(slices)
            return super().color(stack, slices)

    slices = colored_slices(STACK, Counting(), 16)
    assert made == []
    for _ in range(3):
        slices[1], slices[1, :4, :4]
    assert made == [1]


def test_threads_read_the_same():
    slices = colored_slices(STACK, Pseudocoloring(tiles=2), 32)
    alone = colored_slices(STACK, Pseudocoloring(tiles=2), 32)
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: slices[n % 3].copy()})) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((image == alone[n % 3]).all() for n, image in found.items())


def test_a_sampler_draws_coloured_patches_with_their_masks():
    y, x = np.indices((40, 52))
    stack = np.stack([255.0 * (np.hypot(y - 15, x - 10 * z) < 12) for z in range(1, 4)]).astype(np.uint8)
    images, masks = colored_slices(stack, GreyTriple(), 32), mask_slices(stack, 32)
    table = tabulate_patches([(masks, range(3))], patch_shape=(32, 32), stride=32)
    settings = {"batch_size": 2, "preprocessing": ColorSlices(coloring=GreyTriple()), "seed": 0}
    plain = PatchSampler([(images, masks)], table, **settings)
    drawn, targets = plain.batch(0)
    assert drawn.shape == (2, 32, 32, 3)
    np.testing.assert_allclose(drawn[1], images[1] / WHITE, atol=1e-6)
    np.testing.assert_array_equal(targets[1, ..., 0], masks[1])
    changed = PatchSampler(
        [(images, masks)], table, augmentation=Augmentation(contrast=0.2, elastic_px=1.0), shuffle=True, **settings
    )
    moved, moved_targets = changed.batch(2)
    assert moved.shape == drawn.shape
    bright = moved[..., 0] > moved.max(axis=(1, 2, 3))[:, None, None] / 2
    assert (bright == moved_targets[..., 0]).mean() > 0.98, "image and mask move together"
    assert (moved_targets[0, ..., 0] != masks[int(changed.order(1)[0])]).any()
    np.testing.assert_allclose(moved[..., 0], moved[..., 2], atol=1e-6)
