import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.geometry.block_grid import BlockGrid, inside


@st.composite
def grids(draw):
    axes = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
    return BlockGrid(*zip(*draw(st.lists(axes, min_size=1, max_size=3)), strict=True))


@given(grids())
def test_cores_cover_every_voxel_once(grid):
    covered = np.zeros(grid.shape, int)
    cores = list(grid.cores())
    for core in cores:
        covered[core] += 1
    assert (covered == 1).all()
    assert len(cores) == len(grid)


@given(grids())
def test_a_core_is_found_within_its_surroundings(grid):
    array = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    for core in grid.cores():
        box = grid.around(core)
        np.testing.assert_array_equal(array[box][inside(core, box)], array[core])
        for part, around, width, size in zip(core, box, grid.halo, grid.shape, strict=True):
            assert part.start - around.start == min(width, part.start)
            assert around.stop - part.stop == min(width, size - part.stop)


@given(grids())
def test_borders_are_where_the_block_of_a_voxel_changes(grid):
    block_of = np.zeros(grid.shape, int)
    for number, core in enumerate(grid.cores()):
        block_of[core] = number
    changes = {
        (axis, int(start) + 1)
        for axis in range(len(grid.shape))
        for start in np.nonzero(np.diff(block_of, axis=axis))[axis]
    }
    assert set(grid.borders()) == changes


def test_least_halo_ignores_axes_of_one_block():
    grid = BlockGrid((4, 20, 20), (4, 10, 10), (1, 3, 5))
    assert grid.least_halo((10.0, 2.0, 1.0)) == 5.0
    assert BlockGrid((4,), (4,), (1,)).least_halo((1.0,)) == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4, 4), (2,), (0, 0)), "one entry per axis"),
        (((4,), (0,), (0,)), "positive"),
        (((4,), (2,), (-1,)), "not negative"),
        (((0,), (2,), (0,)), "positive"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        BlockGrid(*arguments)
