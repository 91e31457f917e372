"""An upside-down mask is noticed, and nothing else is taken for one."""

import numpy as np
import pytest
from scipy import ndimage

from segkit.volumes.orientation import OrientationScore, mask_orientation
from segkit.volumes.volume import Volume

SHAPE = (6, 200, 240)


def tissue(seed, *, contrast=1.0, num_objects=14):
    """Draw organelles with dark rims in textured, noisy cytoplasm; every second one is in the mask."""
    rng = np.random.default_rng(seed)
    depth, height, width = SHAPE
    y, x = np.mgrid[:height, :width].astype(float)
    image = 4 * ndimage.gaussian_filter(rng.normal(size=SHAPE), (0.5, 4, 4)) + rng.normal(0, 0.5, SHAPE)
    mask = np.zeros(SHAPE, np.uint8)
    for k in range(num_objects):
        center = rng.uniform((0, 0), (height, width))
        drift, radii, turn = rng.normal(0, 2, 2), rng.uniform(8, 22, 2), rng.uniform(0, np.pi)
        for z in range(depth):
            dy, dx = y - center[0] - z * drift[0], x - center[1] - z * drift[1]
            along, across = np.cos(turn) * dy + np.sin(turn) * dx, np.cos(turn) * dx - np.sin(turn) * dy
            distance = (np.hypot(along / radii[0], across / radii[1]) - 1) * radii.min()
            image[z] += contrast * (-0.5 * (distance < 0) - 1.5 * np.exp(-(distance**2) / 8))
            mask[z] |= np.uint8((distance < 0) & (k % 2 == 0))
    return image.astype(np.float32), mask


def score(image, mask, **options):
    return mask_orientation(Volume(array=image), Volume(array=mask), **options)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_mask_is_noticed(seed):
    image, mask = tissue(seed)
    right, wrong = score(image, mask), score(image, mask[:, ::-1])
    assert right.as_is > 6 and right.warning is None
    assert wrong.flipped > 6
    assert "fits the image clearly better with its rows (y) flipped" in wrong.warning
    assert "--flip-y" in wrong.warning


def test_other_orientations_are_noticed_where_they_are_possible():
    image, mask = (np.concatenate(parts) for parts in zip(tissue(0), tissue(1), strict=True))
    reverse = score(image, mask[::-1])
    assert reverse.reversed_z > 6 and "slices (z) in reverse order" in reverse.warning
    assert reverse.transposed == 0  # slices are not square
    image, mask = image[:, :, :200], mask[:, :, :200]
    swapped = score(image, mask.swapaxes(1, 2))
    assert swapped.transposed > 6 and "x and y exchanged" in swapped.warning
    single = score(image[:1], mask[:1])
    assert single.reversed_z == 0 and single.warning is None


@pytest.mark.parametrize("seed", range(4))
def test_columns_that_are_flipped_alone_or_with_the_rows_are_noticed(seed):
    image, mask = tissue(seed)
    mirrored, turned = score(image, mask[:, :, ::-1]), score(image, mask[:, ::-1, ::-1])
    assert mirrored.flipped_x > 6 and "with its columns (x) flipped: " in mirrored.warning
    assert mirrored.warning.endswith("write it again with x reversed")
    assert turned.turned > 6 and "with its rows and columns flipped (turned by 180 degrees): " in turned.warning
    assert turned.warning.endswith("write it again with y and x reversed")


def test_rows_that_were_flipped_by_option_are_to_be_left_as_they_are():
    image, mask = tissue(0)
    assert "and leave out --flip-y" in score(image, mask[:, ::-1], is_flipped=True).warning
    assert "and use --flip-y" in score(image, mask[:, ::-1]).warning


@pytest.mark.parametrize("seed", range(4))
def test_flipping_the_image_swaps_the_scores(seed):
    image, mask = tissue(seed)
    one, other = score(image, mask), score(image[:, ::-1], mask)
    assert (one.as_is, one.flipped) == pytest.approx((other.flipped, other.as_is), abs=0.5)


@pytest.mark.parametrize("seed", range(6))
def test_no_alarm_over_a_mask_of_something_else(seed):
    image, _ = tissue(seed)
    _, foreign = tissue(seed + 100)
    noise = np.random.default_rng(seed).random(SHAPE) < 0.05
    for mask in (foreign, noise, np.roll(foreign, 60, axis=2)):
        found = score(image, mask)
        assert found.warning is None
        assert max(found.as_is, found.flipped, found.flipped_x, found.turned, found.reversed_z) < 5


@pytest.mark.parametrize("seed", range(3))
def test_no_alarm_over_a_symmetric_scene(seed):
    image, mask = tissue(seed)
    image, mask = image + image[:, ::-1], mask | mask[:, ::-1]
    found = score(image, mask)
    assert found.as_is == pytest.approx(found.flipped, abs=0.5)
    assert found.warning is None


@pytest.mark.parametrize("seed", range(3))
def test_no_alarm_where_texture_lies_at_the_other_end(seed):
    # Edges abound where the flipped mask would lie, and are faint where the mask rightly lies.
    image, mask = tissue(seed, contrast=0.1)
    image[:, 100:], mask[:, 100:] = 10 * image[:, 100:], 0
    assert score(image, mask).warning is None


@pytest.mark.parametrize(
    ("as_is", "flipped", "alarm"),
    [(0.9, 5.0, True), (0.9, 4.9, False), (1.1, 5.0, False), (20.0, 25.0, True)],
)
def test_the_rule(as_is, flipped, alarm):
    warning = OrientationScore(as_is=as_is, flipped=flipped, slices=(1,)).warning
    assert (warning is not None) == alarm


def test_the_mask_as_it_is_can_be_measured_alone():
    image, mask = tissue(0)
    alone, all_of_them = score(image[:, :, :200], mask[:, :, :200], others=False), score(image, mask)
    assert (
        alone.as_is > 6
        and (alone.flipped, alone.flipped_x, alone.turned, alone.transposed, alone.reversed_z) == (0,) * 5
    )
    assert score(image, mask, others=False).as_is == all_of_them.as_is and all_of_them.flipped != 0


def test_only_some_slices_are_read():
    image, mask = tissue(0)
    mask[0] = mask[3] = 0
    calls = []
    found = score(image, mask, num_slices=3, progress=lambda *call: calls.append(call))
    assert found.slices == (1, 4, 5) or found.slices == (1, 2, 5)
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_labels_show_their_inner_borders():
    image, mask = tissue(1)
    labels, count = ndimage.label(mask)
    assert count > 1
    assert "rows (y) flipped" in score(image, labels[:, ::-1]).warning


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (np.zeros((2, 50, 300)), np.ones((2, 50, 300))),  # too small to have surroundings
        (np.zeros((2, 100, 100)), np.zeros((2, 100, 100))),
        (np.zeros((2, 100, 100)), np.ones((2, 100, 100))),
    ],
)
def test_nothing_to_tell(image, mask):
    found = score(image, mask)
    assert (found.as_is, found.flipped, found.slices, found.warning) == (0.0, 0.0, (), None)


def test_nan_does_not_spread():
    image, mask = tissue(2)
    image[:, 5, 5] = np.nan
    assert "rows (y) flipped" in score(image, mask[:, ::-1]).warning


def test_arguments():
    with pytest.raises(ValueError, match="`mask` must be of the shape"):
        score(np.zeros((1, 80, 80)), np.zeros((1, 80, 81)))
    with pytest.raises(ValueError, match="`num_slices` must be positive"):
        score(np.zeros((1, 80, 80)), np.zeros((1, 80, 80)), num_slices=0)
