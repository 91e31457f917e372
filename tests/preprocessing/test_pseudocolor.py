"""Pseudocolouring beside OpenCV's own calls, in the order and with the values of the paper (Sec. 2.2)."""

import cv2
import numpy as np
import pytest

from segkit.preprocessing.pseudocolor import Pseudocoloring


@pytest.fixture(scope="module")
def stack():
    """Three slices of bright blobs on a dark, uneven ground, 8 bits."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:192, :160]
    stack = np.empty((3, 192, 160), np.uint8)
    for image in stack:
        found = 20 + 0.1 * x + rng.normal(0, 4, image.shape)
        for _ in range(6):
            found += 90 * np.exp(-((y - rng.uniform(0, 192)) ** 2 + (x - rng.uniform(0, 160)) ** 2) / 150)
        image[:] = found.clip(0, 255)
    return stack


def scaled(values):
    return (values.astype(np.float32) - values.min()) / np.float32(values.max() - values.min())


def by_hand(neighbour, share):
    """CLAHE of 16 x 16 tiles and limit 10, to [0, 1], mean of 8 x 8, a threshold from 0.2 on that rises by 0.01."""
    equalized = scaled(cv2.createCLAHE(clipLimit=10.0, tileGridSize=(16, 16)).apply(neighbour))
    blurred = cv2.blur(equalized, (8, 8))
    for raises in range(31):
        mask = blurred > 0.2 + raises * 0.01
        if mask.mean() < share:
            break
    return equalized, blurred, mask, raises


@pytest.mark.parametrize(("share", "raises"), [(1.0, 0), (0.3, None), (0.03, 30)])
def test_a_rough_mask_is_what_opencv_makes(stack, share, raises):
    found = Pseudocoloring(expected_share=share).steps(stack[0])
    equalized, blurred, mask, raised = by_hand(stack[0], share)
    np.testing.assert_allclose(found["equalized"], equalized, atol=1e-6)
    np.testing.assert_allclose(found["blurred"], blurred, atol=1e-6)
    np.testing.assert_array_equal(found["mask"], mask)
    assert 0 < raised < 30 if raises is None else raised == raises
    # Neither step is without effect here.
    assert np.abs(equalized - scaled(stack[0])).max() > 0.2
    assert np.abs(blurred - equalized).max() > 0.2


def test_colours_are_the_slice_and_twice_it_under_the_masks_of_its_neighbours(stack):
    (found,) = Pseudocoloring(expected_share=0.3).color(stack, [1])
    grey = stack[1].astype(np.float32)
    red, blue = (grey * by_hand(stack[z], 0.3)[2] + grey for z in (0, 2))
    colours = np.stack([red, grey, blue], axis=-1)
    np.testing.assert_allclose(found, scaled(colours), atol=1e-6)
    assert (red != blue).any()


def test_a_bit_that_says_nothing_is_left_out_without_another_limit(stack):
    # 15 bits: CLAHE leaves the last of 16 out, and its limit is of half as many bins. In one tile the limit counts.
    camera = stack[0].astype(np.uint16) * 100
    found = Pseudocoloring(clip_limit=20.0, tiles=1, expected_share=1.0).steps(camera)["equalized"]
    full = np.rint((camera - camera.min()) * (65535 / float(np.ptp(camera)))).astype(np.uint16)
    for limit, fits in ((20.0, True), (10.0, False)):
        expected = scaled(cv2.createCLAHE(clipLimit=limit, tileGridSize=(1, 1)).apply(full))
        assert (np.abs(found - expected).max() < 0.01) == fits
