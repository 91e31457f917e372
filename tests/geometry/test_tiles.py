import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segkit.geometry.tiles import clamped, plan_tiles, smallest_tile_px


def total_share(plan):
    share = np.zeros([stop - start for start, stop in plan.wanted])
    for tile in plan:
        piece = np.ones([w.kept[1] - w.kept[0] for w in tile])
        for axis, window in enumerate(tile):
            shape = [1] * len(tile)
            shape[axis] = -1
            piece = piece * window.weights.reshape(shape)
        target = tuple(slice(w.kept[0] - lo, w.kept[1] - lo) for w, (lo, _) in zip(tile, plan.wanted, strict=True))
        share[target] += piece
    return share


@st.composite
def layouts(draw, axes=2):
    multiple = draw(st.sampled_from([1, 4, 16]))
    halo = draw(st.integers(0, 40))
    shape = [draw(st.integers(1, 600 // axes)) for _ in range(axes)]
    wanted = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        wanted.append((start, draw(st.integers(start + 1, size))))
    smallest = smallest_tile_px(shape, multiple=multiple, halo=halo)
    return {
        "shape": shape,
        "multiple": multiple,
        "halo": halo,
        "exact": draw(st.booleans()),
        "wanted": draw(st.sampled_from([None, wanted])),
        "max_px": draw(st.one_of(st.none(), st.integers(max(1000, smallest), 20 * max(1000, smallest)))),
    }


@settings(max_examples=40)
@given(st.one_of(layouts(), layouts(axes=3)))
def test_a_plan_covers_what_is_wanted_once_within_its_bounds(layout):
    plan = plan_tiles(**layout)
    multiple, halo, max_px = layout["multiple"], layout["halo"], layout["max_px"]

    np.testing.assert_allclose(total_share(plan), 1, atol=1e-6)
    assert max_px is None or math.prod(plan.tile_shape) <= max_px
    for axis, size in enumerate(layout["shape"]):
        padded = -(-size // multiple) * multiple
        for window in plan.windows[axis]:
            assert window.length == plan.tile_shape[axis]
            assert window.start % multiple == 0 and window.length % multiple == 0
            assert window.start >= 0 and window.start + window.length <= padded
            low, high = window.kept
            context = halo if layout["exact"] else halo // 2
            assert window.start == 0 or low - window.start >= context
            assert window.start + window.length == padded or window.start + window.length - high >= context


@settings(max_examples=40)
@given(layouts())
def test_an_exact_plan_gives_each_pixel_to_one_tile(layout):
    plan = plan_tiles(**{**layout, "exact": True})
    assert all((window.weights == 1).all() for axis in plan.windows for window in axis)


def test_a_slice_within_the_bound_is_one_tile_padded_at_its_far_ends():
    plan = plan_tiles((37, 64), multiple=16, halo=288, exact=True, max_px=48 * 64)
    assert len(plan) == 1
    assert plan.tile_shape == (48, 64)
    assert plan.reach == ((0, 48), (0, 64))


def test_no_even_cut_within_the_bound_reads_less():
    """Every number of rows and columns of tiles, by brute force."""
    shape, max_px, halo = (2048, 1500), 700_000, 96
    plan = plan_tiles(shape, multiple=16, halo=halo, exact=True, max_px=max_px)
    reads = []
    for counts in itertools.product(range(1, 17), repeat=2):
        sides = [
            math.ceil((math.ceil(size / 16) * 16 + 2 * halo * (n - 1)) / n / 16) * 16
            for size, n in zip(shape, counts, strict=True)
        ]
        if math.prod(sides) <= max_px:
            reads.append(math.prod(counts) * math.prod(sides))
    assert plan.read_px == min(reads)
    assert plan.read_px < 1.7 * math.prod(shape)


def test_tiles_of_a_given_side_are_spread_evenly():
    plan = plan_tiles((256, 16), multiple=16, halo=16, exact=True, tile_px=90)
    assert plan.tile_shape == (96, 16)
    assert [window.start for window in plan.windows[0]] == [0, 48, 96, 160]
    assert [window.kept for window in plan.windows[0]] == [(0, 72), (72, 120), (120, 176), (176, 256)]


def test_neighbours_fade_linearly_into_each_other():
    plan = plan_tiles((12,), multiple=4, halo=2, exact=False, tile_px=8)
    first, second = plan.windows[0]
    assert (first.start, second.start) == (0, 4)
    assert (first.kept, second.kept) == ((0, 7), (5, 12))
    np.testing.assert_allclose(first.weights, [1, 1, 1, 1, 1, 0.75, 0.25])
    np.testing.assert_allclose(second.weights, [0.25, 0.75, 1, 1, 1, 1, 1])


def test_a_region_is_read_with_its_context_and_no_more():
    plan = plan_tiles((1000, 1000), multiple=16, halo=32, exact=True, wanted=((100, 200), (0, 1000)))
    assert plan.reach == ((64, 240), (0, 1008))


def test_the_last_pixel_is_repeated():
    assert clamped(2, 8, 5).tolist() == [2, 3, 4, 4, 4, 4]
    assert clamped(0, 4, 1).tolist() == [0, 0, 0, 0]


def test_tiles_that_are_all_halo_are_refused():
    with pytest.raises(ValueError, match=r"`tile_px` must be more than 64 px .* Received: tile_px=64"):
        plan_tiles((256, 256), multiple=16, halo=32, exact=True, tile_px=64)
    with pytest.raises(ValueError, match=r"`tile_px` must be more than 576 px"):
        plan_tiles((512, 512), multiple=16, halo=288, exact=True, tile_px=256)
    with pytest.raises(ValueError, match=r"`max_px` must hold a tile wider than two halos \(64 px\)"):
        plan_tiles((256, 256), multiple=16, halo=32, exact=True, max_px=80 * 80 - 1)


def test_every_axis_has_its_own_halo_and_multiple():
    plan = plan_tiles((64, 256), multiple=(1, 16), halo=(2, 32), exact=True, max_px=16 * 128)
    rows, columns = plan.windows
    assert math.prod(plan.tile_shape) <= 16 * 128
    assert all(window.start % 16 == 0 and window.length % 16 == 0 for window in columns)
    np.testing.assert_allclose(total_share(plan), 1)
    assert all(w.start == 0 or w.kept[0] - w.start >= 2 for w in rows)
    assert all(w.start == 0 or w.kept[0] - w.start >= 32 for w in columns)
    with pytest.raises(ValueError, match="`halo` must be one number, or 2, one per axis"):
        plan_tiles((64, 256), multiple=1, halo=(2, 2, 2), exact=True)
    with pytest.raises(ValueError, match=r"two halos \(4 x 64 px\)"):
        plan_tiles((64, 256), multiple=(1, 16), halo=(2, 32), exact=True, max_px=10)
