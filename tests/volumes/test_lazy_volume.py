"""Lazy volumes index like numpy and read only what is asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.volumes.lazy_volume import (
    LazyVolume,
    flipped_rows,
    in_native_byte_order,
    slice_stack,
    transposed,
)

SHAPE = (5, 6, 7)
ARRAY = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def lazy(array=ARRAY, asked=None):
    def read(region):
        if asked is not None:
            asked.append(region)
        for part, length in zip(region, array.shape, strict=True):
            assert 0 <= part.start < part.stop <= length
            assert part.step > 0
        return array[region]

    return LazyVolume(read, array.shape, array.dtype)


@st.composite
def indices(draw):
    entries = [draw(st.one_of(st.integers(-n, n - 1), st.slices(n), st.just(slice(None, None, -1)))) for n in SHAPE]
    kept = entries[: draw(st.integers(0, 3))]
    if draw(st.booleans()):
        kept.insert(draw(st.integers(0, len(kept))), Ellipsis)
    return tuple(kept)


@given(indices())
def test_any_index_gives_what_numpy_gives(index):
    for array, expected in (
        (lazy(), ARRAY),
        (slice_stack(lambda z: ARRAY[z], SHAPE, ARRAY.dtype), ARRAY),
        (flipped_rows(lazy()), ARRAY[:, ::-1]),
        (transposed(lazy(ARRAY.transpose(2, 0, 1)), (1, 2, 0)), ARRAY),
        (in_native_byte_order(ARRAY.astype(">i2")), ARRAY),
    ):
        found = array[index]
        np.testing.assert_array_equal(found, expected[index])
        assert found.dtype == ARRAY.dtype


def test_whole_volume_converts_to_an_array_and_iterates():
    np.testing.assert_array_equal(np.asarray(lazy()), ARRAY)
    np.testing.assert_array_equal(list(lazy()), ARRAY)
    assert (len(lazy()), lazy().size, lazy().nbytes) == (5, ARRAY.size, ARRAY.nbytes)


def test_only_the_region_asked_for_is_read():
    asked = []
    transposed(flipped_rows(lazy(asked=asked)), (2, 0, 1))[3:5, 1, 0:2]
    # x 3-4, z 1, and rows 0-1 counted from the other end.
    assert asked == [(slice(1, 2, 1), slice(4, 6, 1), slice(3, 5, 1))]


def test_arrays_in_memory_are_viewed_not_wrapped():
    assert np.shares_memory(flipped_rows(ARRAY), ARRAY)
    assert np.shares_memory(transposed(ARRAY, (2, 1, 0)), ARRAY)
    assert in_native_byte_order(ARRAY) is ARRAY


def test_neighbouring_tiles_of_a_slice_cost_one_read():
    read = []

    def read_slice(z):
        read.append(z)
        return ARRAY[z]

    stack = slice_stack(read_slice, SHAPE, ARRAY.dtype)
    for x in range(7):
        stack[2, :, x]
    assert read == [2]


def test_what_was_read_is_the_callers_to_change():
    stack = slice_stack(lambda z: ARRAY[z], SHAPE, ARRAY.dtype)
    stack[2][...] = -1
    np.testing.assert_array_equal(stack[2], ARRAY[2])


@pytest.mark.parametrize("index", [5, -6, (0, 6), (0, 0, 0, 0), (..., ...)])
def test_index_out_of_bounds(index):
    with pytest.raises(IndexError, match="`index` must"):
        lazy()[index]


def test_index_of_another_kind():
    with pytest.raises(TypeError, match="must hold integers and slices"):
        lazy()[[0, 1]]


def test_no_view_of_what_is_not_in_memory():
    with pytest.raises(ValueError, match="`copy` must not be False"):
        np.asarray(lazy(), copy=False)
