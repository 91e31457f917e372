"""Ids of masks, and ids that restart in every slice."""

import numpy as np
import pytest

from segkit.instances.id_checks import one_id_in_pieces, share_of_restarts


def test_a_single_id_in_pieces():
    ids = np.zeros((3, 9, 9), np.uint16)
    ids[1, ::4, 0] = 255
    assert one_id_in_pieces(ids) and one_id_in_pieces(ids, [0, 1]) and not one_id_in_pieces(ids, [0, 2])
    ids[1, 8, 0] = 0
    assert not one_id_in_pieces(ids)  # two pieces: a folded object
    ids[1, ::4, 0], ids[2, 0, 0] = 255, 1
    assert not one_id_in_pieces(ids) and one_id_in_pieces(ids, [1])
    assert not one_id_in_pieces(ids * 0)


def objects(shift):
    """Return five objects in four slices, which move by so many pixels from slice to slice."""
    ids = np.zeros((4, 10, 60), np.uint16)
    for z in range(4):
        for number in range(1, 6):
            ids[z, 2 * number - 1, 3 + z * shift : 8 + z * shift] = number
    return ids


@pytest.mark.parametrize(("shift", "expected"), [(0, None), (4, None), (5, 1.0), (12, 1.0)])
def test_objects_in_neighbouring_slices_overlap_themselves(shift, expected):
    assert share_of_restarts(objects(shift)) == expected


def test_more_than_half_of_three_ids_must_not_touch():
    apart, ids = objects(12)[:2], objects(0)[:2]
    ids[1, 1:4:2] = apart[1, 1:4:2]
    assert share_of_restarts(ids) is None  # two of five
    ids[1, 5] = apart[1, 5]
    assert share_of_restarts(ids) == pytest.approx(0.6)
    assert share_of_restarts(np.where(apart <= 2, apart, 0)) is None
    assert share_of_restarts(np.where(apart <= 3, apart, 0)) == 1
    assert share_of_restarts(apart[:1]) is None


def test_only_neighbours_are_compared():
    assert share_of_restarts(objects(12), [0, 2]) is None
    assert share_of_restarts(objects(12), [0, 2, 3]) == 1
