import itertools

import pytest

from segkit.geometry.square_windows import square_windows


@pytest.mark.parametrize("shape", [(1745, 2440), (50, 200), (7, 9)])
def test_squares_cover_the_slice_from_border_to_border(shape):
    for (length, starts), size in zip(square_windows(shape, (2, 3)), shape, strict=True):
        assert starts[0] == 0
        assert starts[-1] + length == size
        assert all(after <= before + length for before, after in itertools.pairwise(starts))


def test_an_axis_shorter_than_the_square_has_one_window():
    assert square_windows((10, 60), (1, 2)) == ((10, [0]), (30, [0, 30]))
