"""Changes of patches of any rank: what they keep, what they may mix, and that ids and maps stay what they are."""

import dataclasses
import itertools
import re

import numpy as np
import pytest

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation

ELASTIC = Augmentation(flips=False, turns=False, elastic_px=2.0, elastic_grid_px=4)


def changes(augmentation, shape, voxel_size=None, count=400):
    return [augmentation.draw(np.random.default_rng([7, i]), shape, voxel_size) for i in range(count)]


def results(augmentation, patch, voxel_size=None, count=400):
    drawn = changes(augmentation, patch.shape, voxel_size, count)
    return {change.turn(patch).tobytes() for change in drawn if change.turn(patch).shape == patch.shape}


@pytest.mark.parametrize("seed", range(12))
def test_the_numbers_of_a_slice_are_those_that_were_always_drawn(seed):
    augmentation = Augmentation(brightness=0.3, contrast=0.2, elastic_px=1.5, elastic_grid_px=4)
    change = augmentation.draw(np.random.default_rng(seed), (9, 9))
    rng = np.random.default_rng(seed)
    flip_y, flip_x, turns = rng.integers([2, 2, 4])
    shift, stretch = rng.uniform(-1, 1, 2)
    assert change.flips == (flip_y, flip_x)
    assert change.turns == (((0, 1, turns),) if turns else ())
    assert (change.gain, change.shift) == (1 + 0.2 * stretch, 0.3 * shift)
    np.testing.assert_array_equal(change.displacement_px, rng.normal(0, 1.5, (2, 5, 5)).astype(np.float32))


def test_a_box_begins_with_the_numbers_of_a_slice():
    flat, deep = (Augmentation().draw(np.random.default_rng(5), shape) for shape in ((8, 8), (8, 8, 8)))
    assert deep.flips[1:] == flat.flips
    assert (deep.gain, deep.shift) == (flat.gain, flat.shift)


@pytest.mark.parametrize(
    ("shape", "voxel_size", "expected"),
    [
        ((3, 3), None, 8),
        ((3, 4), None, 4),
        ((3, 3, 3), None, 48),  # all symmetries of the cube
        ((3, 3, 3), (4.0, 1.0, 1.0), 16),  # those of a square, and z mirrored
        ((3, 3, 3), (1.004, 1.0, 1.0), 48),
        ((2, 3, 3), None, 16),
        ((3, 3, 4), (1.0, 1.0, 1.0), 16),
    ],
)
def test_every_flip_and_turn_that_keeps_lengths_occurs_and_no_other(shape, voxel_size, expected):
    patch = np.arange(np.prod(shape)).reshape(shape)
    found = results(Augmentation(), patch, voxel_size)
    assert len(found) == expected
    moves = set()
    for order in itertools.permutations(range(patch.ndim)):
        for steps in itertools.product((1, -1), repeat=patch.ndim):
            moves.add(patch.transpose(order)[tuple(slice(None, None, step) for step in steps)].tobytes())
    assert found <= moves


@pytest.mark.parametrize("shape", [(6, 6), (4, 6, 6)])
def test_nothing_is_changed_where_nothing_may_be(shape):
    patch = np.random.default_rng(0).random(shape)
    for change in changes(NO_AUGMENTATION, shape, count=20):
        np.testing.assert_array_equal(change.bend(change.turn(patch), nearest=False), patch)
        assert (change.gain, change.shift) == (1, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint16])
@pytest.mark.parametrize("shape", [(12, 10), (6, 12, 10)])
def test_ids_stay_ids(shape, dtype):
    high = np.iinfo(dtype).max
    ids = np.random.default_rng(0).choice(np.array([0, 3, high - 1, high], dtype), shape)
    for change in changes(ELASTIC, shape, count=5):
        bent = change.bend(ids, nearest=True)
        assert (bent.dtype, bent.shape) == (ids.dtype, shape)
        assert set(np.unique(bent)) <= set(np.unique(ids))
        assert (bent != ids).any()


@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 1), (6, 12, 10), (6, 12, 10, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_linear_image_moves_by_the_displacement_and_ids_move_with_it(shape, dtype):
    axes = 2 if shape[0] == 12 else 3
    change = ELASTIC.draw(np.random.default_rng(2), shape[:axes])
    ramp = np.broadcast_to(np.arange(shape[axes - 1], dtype=dtype).reshape(-1, *[1] * (len(shape) - axes)), shape)
    linear, near = (change.bend(np.ascontiguousarray(ramp), nearest=nearest) for nearest in (False, True))
    assert linear.dtype == dtype
    assert np.abs(linear - ramp).max() > 0.5
    assert np.abs(linear - near).max() <= 0.5 + 1 / 16  # OpenCV rounds places to 1/32 px


def test_an_image_and_a_volume_of_one_slice_bend_alike():
    flat = Augmentation(elastic_px=1.0, elastic_grid_px=8, flips=False, turns=False).draw(
        np.random.default_rng(1), (16, 16)
    )
    nodes = np.stack([np.zeros_like(flat.displacement_px[0]), *flat.displacement_px])[:, None]
    deep = dataclasses.replace(flat, flips=(False,) * 3, displacement_px=nodes)
    image = np.random.default_rng(3).random((16, 16)).astype(np.float32)
    by_cv2, by_scipy = flat.bend(image, nearest=False), deep.bend(image[None], nearest=False)[0]
    inner = (slice(4, -4),) * 2  # the two continue the displacement differently at the border
    assert np.abs(by_cv2 - by_scipy)[inner].mean() < 0.1 * np.abs(image - by_scipy)[inner].mean()


def test_coarse_axes_are_displaced_by_fewer_pixels():
    augmentation = Augmentation(elastic_px=4.0, elastic_grid_px=2)
    drawn = augmentation.draw(np.random.default_rng(0), (32, 32, 32), (8.0, 1.0, 1.0)).displacement_px
    along_z, along_y, along_x = (float(part.std()) for part in drawn)
    assert drawn.shape == (3, 32 * 8 // 2 + 3, 19, 19)
    np.testing.assert_allclose([along_z * 8, along_y, along_x], 4.0, rtol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Augmentation(contrast=1.0), r"`contrast` must be in \[0, 1\)"),
        (lambda: Augmentation(brightness=-1.0), "must be finite and not negative"),
        (lambda: Augmentation(elastic_grid_px=0), r"`elastic_grid_px` must be a positive whole number \[px\]"),
        (lambda: Augmentation().draw(np.random.default_rng(0), (4,)), "two axes or more"),
        (lambda: Augmentation().draw(np.random.default_rng(0), (4, 4), (1.0,)), "two axes or more"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"elastic_px": float("nan")}, "`elastic_px` must be finite and not negative. Received: elastic_px=nan"),
        ({"elastic_px": float("inf")}, "elastic_px=inf"),
        ({"brightness": float("nan")}, "`brightness` must be finite and not negative. Received: brightness=nan"),
        ({"brightness": "a"}, "brightness='a'"),
        ({"contrast": "a"}, "contrast='a'"),
        ({"turns": "yes"}, "`turns` must be True or False. Received: turns='yes'"),
        ({"flips": 1}, "`flips` must be True or False. Received: flips=1"),
        ({"elastic_grid_px": 0}, "elastic_grid_px=0"),
        ({"elastic_grid_px": 16.5}, "elastic_grid_px=16.5"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Augmentation(**settings)


def test_numbers_of_numpy_are_numbers():
    settings = Augmentation(brightness=np.float32(0.2), elastic_grid_px=np.int64(8), flips=np.bool_(False))
    assert settings.brightness == np.float32(0.2)
