"""Squares cover a slice, evenly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.geometry.square_windows import square_windows

SIZES = st.integers(1, 300)
COUNTS = st.integers(1, 7)


@given(st.tuples(SIZES, SIZES), st.tuples(COUNTS, COUNTS))
def test_every_pixel_is_covered_by_windows_that_lie_inside(shape, counts):
    axes = square_windows(shape, counts)
    for size, count, (length, origins) in zip(shape, counts, axes, strict=True):
        covered = {place for origin in origins for place in range(origin, origin + length)}
        assert covered == set(range(size))
        assert len(origins) <= count
        steps = [b - a for a, b in itertools.pairwise(origins)]
        assert not steps or max(steps) - min(steps) <= 1
    longest = max(length for length, _ in axes)
    assert all(length in (longest, size) for size, (length, _) in zip(shape, axes, strict=True))  # squares


@pytest.mark.parametrize(
    ("shape", "counts", "axes"),
    [
        ((10, 10), (1, 1), ((10, [0]), (10, [0]))),
        ((4, 10), (1, 2), ((4, [0]), (5, [0, 5]))),
        ((10, 25), (2, 3), ((9, [0, 1]), (9, [0, 8, 16]))),
    ],
)
def test_small_cases(shape, counts, axes):
    assert square_windows(shape, counts) == axes
