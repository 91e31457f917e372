import numpy as np
import pytest

from segkit.data.patches import PatchTable, tabulate_patches


def test_the_table_counts_what_each_patch_holds():
    rng = np.random.default_rng(0)
    masks = [(rng.random((3, 20, 17)) > 0.9).astype(np.int8), (rng.random((2, 9, 8)) > 0.5).astype(np.int8)]
    table = tabulate_patches([(masks[0], [0, 2]), (masks[1], [1])], patch_shape=(8, 8), stride=5)
    assert set(map(tuple, table.rows[:, :2])) == {(0, 0), (0, 2), (1, 1)}
    for (number, z, y, x), foreground in zip(table.rows, table.foreground, strict=True):
        assert masks[number][z, y : y + 8, x : x + 8].sum() == foreground


@pytest.mark.parametrize("stride", [2, (3, 5, 4)])
def test_boxes_count_what_each_holds_and_stay_within_runs_of_chosen_slices(stride):
    rng = np.random.default_rng(0)
    mask = rng.choice([0, 1, 9], (12, 14, 11))
    chosen = [0, 1, 2, 3, 5, 6, 11, 10, 9, 8]
    table = tabulate_patches([(mask, chosen)], patch_shape=(3, 8, 6), stride=stride, ignore_value=9)
    assert table.patch_shape == (3, 8, 6)
    assert set(table.rows[:, 1]) == ({0, 1, 8, 9}), "5 and 6 are too few slices, 4 and 7 are not chosen"
    for row, (number, z, y, x) in enumerate(table.rows):
        box = mask[table.window(row)]
        assert number == 0
        np.testing.assert_array_equal(box, mask[z : z + 3, y : y + 8, x : x + 6])
        assert (table.foreground[row], table.background[row]) == ((box == 1).sum(), (box == 0).sum())
    assert table.rows.tolist() == sorted(table.rows.tolist())


def test_boxes_of_one_slice_are_its_patches():
    mask = np.random.default_rng(1).random((4, 9, 10)) > 0.8
    flat = tabulate_patches([(mask, [1, 2, 3])], patch_shape=(5, 4), stride=(2, 3))
    boxes = tabulate_patches([(mask, [1, 2, 3])], patch_shape=(1, 5, 4), stride=(1, 2, 3))
    np.testing.assert_array_equal(flat.rows, boxes.rows)
    np.testing.assert_array_equal(flat.foreground, boxes.foreground)
    assert mask[flat.window(0)].shape == (5, 4)
    assert mask[boxes.window(0)].shape == (1, 5, 4)


def test_every_mask_slice_is_read_once():
    reads, told = [], []

    class Counted:
        def __getitem__(self, z):
            reads.append(z)
            return np.ones((8, 8), np.uint8)

    table = [(Counted(), range(6))]
    tabulate_patches(table, patch_shape=(4, 8, 8), stride=1, progress=lambda *counts: told.append(counts))
    assert reads == list(range(6))
    assert told == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 2), (0, 4)])
def test_patches_of_another_rank_are_refused(shape):
    with pytest.raises(ValueError, match="`patch_shape` must be two or three positive numbers"):
        PatchTable(np.zeros((0, 4), int), np.zeros(0, int), np.zeros(0, int), shape)


def test_pixels_nobody_annotated_are_neither_foreground_nor_background():
    mask = np.array([[[1, 2, 2, 2], [2, 0, 2, 2]]])
    table = tabulate_patches([(mask, [0])], patch_shape=(2, 2), stride=2, ignore_value=2)
    assert (table.foreground.tolist(), table.background.tolist()) == ([1], [1])
    assert table.background_to_foreground() == 1.0
    assert table.rows.tolist() == [[0, 0, 0, 0]], "a patch that nobody annotated teaches nothing"


def test_copies_and_ratio_by_hand():
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[1, :2, :2] = 1
    table = tabulate_patches([(mask, [0, 1])], patch_shape=(4, 4), stride=4)
    assert table.background_to_foreground() == 12 / 4
    copied = table.with_positive_copies(4)
    assert copied.rows[:, 1].tolist() == [0, 1, 1, 1, 1, 1]
    assert copied.foreground.tolist() == [0, 4, 4, 4, 4, 4]
    assert np.isnan(tabulate_patches([(mask, [0])], patch_shape=(4, 4), stride=4).background_to_foreground())


@pytest.mark.parametrize(
    ("masks", "changes", "message"),
    [
        ([np.zeros((2, 16, 16))], {}, r"pairs of a mask and its slices.*an array \(2, 16, 16\) in place of a pair"),
        ([(np.zeros((16, 16)), [0])], {}, r"masks \(z, y, x\)\. Received: a mask \(16, 16\)"),
        ([(np.zeros((2, 16, 16)), 1)], {}, r"slices by their indices.*Received: 1"),
        ([(np.zeros((2, 16, 16)), [2])], {}, "slices from 0 to 1. Received: slice 2"),
        ([(np.zeros((2, 16, 16)), [-1])], {}, "slices from 0 to 1. Received: slice -1"),
        ([(np.zeros((2, 16, 16)), [0])], {"patch_shape": 32}, r"`patch_shape` must be the extent along .*=32"),
        ([(np.zeros((2, 16, 16)), [0])], {"patch_shape": (8.0, 8)}, "`patch_shape` must be the extent"),
        ([(np.zeros((2, 16, 16)), [0])], {"stride": 1.5}, "`stride` must be a positive whole number"),
    ],
)
def test_what_is_no_list_of_masks_and_slices_is_refused(masks, changes, message):
    with pytest.raises(ValueError, match=message):
        tabulate_patches(masks, **{"patch_shape": (8, 8), "stride": 8, **changes})


def test_the_ratio_is_the_mean_over_patches_with_foreground():
    mask = np.zeros((1, 4, 12), np.uint8)
    mask[0, 0, 0] = mask[0, :2, 4:8] = 1  # ratios of 15 and 1, and a patch without
    assert tabulate_patches([(mask, [0])], patch_shape=(4, 4), stride=4).background_to_foreground() == 8.0
