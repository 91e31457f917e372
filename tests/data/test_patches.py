import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.data.patches import tabulate_patches, window_origins


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 60))
def test_windows_cover_every_row_and_stay_inside(size, patch, stride):
    patch = min(size, patch)
    stride = min(stride, patch)
    origins = window_origins(size, patch, stride)
    covered = np.zeros(size, bool)
    for origin in origins:
        covered[origin : origin + patch] = True
    assert covered.all()
    assert origins[0] == 0
    assert origins[-1] + patch == size
    assert (np.diff(origins) > 0).all()
    assert (np.diff(origins) <= stride).all()


def test_the_papers_slices_give_seven_by_seven():
    assert len(window_origins(2048, 512, 256)) == 7


@pytest.mark.parametrize(("size", "patch", "stride"), [(4, 5, 1), (4, 0, 1), (4, 2, 0)])
def test_windows_without_meaning_are_refused(size, patch, stride):
    with pytest.raises(ValueError, match=r"`patch` must be in 1\.\.size"):
        window_origins(size, patch, stride)


def test_the_table_counts_what_each_patch_holds():
    rng = np.random.default_rng(0)
    masks = [(rng.random((3, 20, 17)) > 0.9).astype(np.int8), (rng.random((2, 9, 8)) > 0.5).astype(np.int8)]
    table = tabulate_patches([(masks[0], [0, 2]), (masks[1], [1])], patch_px=8, stride_px=5)
    assert set(map(tuple, table.rows[:, :2])) == {(0, 0), (0, 2), (1, 1)}
    for (number, z, y, x), foreground in zip(table.rows, table.foreground, strict=True):
        assert masks[number][z, y : y + 8, x : x + 8].sum() == foreground


def test_pixels_nobody_annotated_are_neither_foreground_nor_background():
    mask = np.array([[[1, 2, 2, 2], [2, 0, 2, 2]]])
    table = tabulate_patches([(mask, [0])], patch_px=2, stride_px=2, ignore_value=2)
    assert (table.foreground.tolist(), table.background.tolist()) == ([1], [1])
    assert table.background_to_foreground() == 1.0
    assert table.rows.tolist() == [[0, 0, 0, 0]], "a patch that nobody annotated teaches nothing"


def test_copies_and_ratio_by_hand():
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[1, :2, :2] = 1
    table = tabulate_patches([(mask, [0, 1])], patch_px=4, stride_px=4)
    assert table.background_to_foreground() == 12 / 4
    copied = table.with_positive_copies(4)
    assert copied.rows[:, 1].tolist() == [0, 1, 1, 1, 1, 1]
    assert copied.foreground.tolist() == [0, 4, 4, 4, 4, 4]
    assert np.isnan(tabulate_patches([(mask, [0])], patch_px=4, stride_px=4).background_to_foreground())
