import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from partition import is_same_partition
from skimage.measure import label

from segkit.geometry.block_grid import BlockGrid
from segkit.instances.reconcile import absorb_fragments, border_contacts, connected_ids, ranks_of_keys


def labelled_in_blocks(mask, grid, connectivity):
    found, total = np.zeros(mask.shape, np.int64), 0
    for core in grid.cores():
        part = label(mask[core], connectivity=connectivity)
        found[core] = np.where(part > 0, part + total, 0)
        total += int(part.max(initial=0))
    return found, total


@given(
    mask=nps.arrays(bool, nps.array_shapes(min_dims=1, max_dims=3, max_side=7)),
    block=st.tuples(*[st.integers(1, 4)] * 3),
    connectivity=st.integers(1, 3),
)
@settings(max_examples=150)
def test_components_of_blocks_become_those_of_the_whole_array(mask, block, connectivity):
    connectivity = min(connectivity, mask.ndim)
    grid = BlockGrid(mask.shape, block[: mask.ndim], (0,) * mask.ndim)
    labels, total = labelled_in_blocks(mask, grid, connectivity)
    groups = connected_ids(border_contacts(labels, grid, connectivity=connectivity)[0], total)
    assert is_same_partition(groups[labels], label(mask, connectivity=connectivity))
    assert groups[0] == 0
    assert sorted(set(groups[1:])) == list(range(1, groups.max() + 1))


def test_contacts_are_counted_once_a_pair_of_voxels():
    labels = np.zeros((4, 5), int)
    labels[:2], labels[2, :3], labels[3, 4] = 7, 2, 5
    pairs, contacts = border_contacts(labels, BlockGrid((4, 5), (2, 5), (0, 0)))
    assert (pairs.tolist(), contacts.tolist()) == ([[2, 7]], [3])
    pairs, contacts = border_contacts(labels, BlockGrid((4, 5), (2, 5), (0, 0)), connectivity=2)
    assert (pairs.tolist(), contacts.tolist()) == ([[2, 7]], [3 + 3 + 2])
    assert border_contacts(labels, BlockGrid((4, 5), (4, 5), (0, 0)))[0].shape == (0, 2)


def test_the_sign_of_an_id_does_not_count():
    labels = np.array([[1, -2, -2, 3]])
    pairs, _ = border_contacts(labels, BlockGrid((1, 4), (1, 1), (0, 0)))
    assert pairs.tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        ([5, 9, 1], [0, 1, 2, 2, 2]),  # 3 goes to 2, and 4 with it
        ([9, 5, 1], [0, 1, 2, 1, 1]),
        ([5, 9, 9], [0, 1, 2, 2, 2]),
    ],
)
def test_a_fragment_goes_to_its_largest_contact_and_seeded_regions_stay_apart(contacts, expected):
    pairs = np.array([[1, 3], [2, 3], [3, 4]])
    assert absorb_fragments(pairs, np.array(contacts), num_seeded=2, num_ids=4).tolist() == expected


def test_two_seeded_regions_that_touch_are_not_joined():
    assert absorb_fragments(np.array([[1, 2]]), np.array([100]), num_seeded=2, num_ids=2).tolist() == [0, 1, 2]
    assert absorb_fragments(np.zeros((0, 2), int), np.zeros(0, int), num_seeded=0, num_ids=1).tolist() == [0, 1]


def test_ranks_follow_first_voxels_whatever_the_order_of_blocks():
    whole = np.array([[40, 0, 10, 10], [30, 40, 20, 0]])
    grid = BlockGrid(whole.shape, (2, 1), (0, 0))
    blocks = [(core, whole[core] > 0, whole[core][whole[core] > 0]) for core in grid.cores()]
    for order in (blocks, blocks[::-1]):
        keys, ranks = ranks_of_keys(order, whole.shape)
        assert dict(zip(keys.tolist(), ranks.tolist(), strict=True)) == {40: 1, 10: 2, 30: 3, 20: 4}
