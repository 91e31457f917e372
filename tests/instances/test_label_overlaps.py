import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from segkit.instances.label_overlaps import count_overlaps
from segkit.volumes.lazy_volume import slice_stack

SHAPES = st.one_of(nps.array_shapes(min_dims=2, max_dims=2, max_side=6), nps.array_shapes(min_dims=3, max_dims=3))


@st.composite
def pairs_of_labels(draw):
    shape = draw(SHAPES)
    largest = draw(st.sampled_from([2, 5, 100]))
    return tuple(
        draw(
            nps.arrays(draw(st.sampled_from([np.uint8, np.int32, np.uint64])), shape, elements=st.integers(0, largest))
        )
        for _ in range(2)
    )


@given(pairs_of_labels())
def test_sizes_and_common_parts_are_those_of_counting_voxel_by_voxel(pair):
    reference, prediction = pair
    found = count_overlaps(reference, prediction)
    for labels, ids, voxels in (
        (reference, found.reference_ids, found.reference_voxels),
        (prediction, found.prediction_ids, found.prediction_voxels),
    ):
        assert dict(zip(ids.tolist(), voxels.tolist(), strict=True)) == {
            int(label): int((labels == label).sum()) for label in np.unique(labels) if label
        }
        assert (np.diff(ids.astype(np.int64)) > 0).all()
    common = {
        (int(found.reference_ids[i]), int(found.prediction_ids[j])): int(count)
        for i, j, count in zip(found.reference_index, found.prediction_index, found.voxels, strict=True)
    }
    expected = {
        (r, p): int(((reference == r) & (prediction == p)).sum())
        for r, p in itertools.product(found.reference_ids.tolist(), found.prediction_ids.tolist())
    }
    assert common == {pair: count for pair, count in expected.items() if count}


@given(pairs_of_labels())
def test_iou_is_one_exactly_where_two_objects_are_the_same(pair):
    found = count_overlaps(*pair)
    assert ((found.iou > 0) & (found.iou <= 1)).all()
    for i, j, iou in zip(found.reference_index, found.prediction_index, found.iou, strict=True):
        same = np.array_equal(pair[0] == found.reference_ids[i], pair[1] == found.prediction_ids[j])
        assert (iou == 1) == same


def test_ids_near_the_end_of_64_bits_stay_what_they_are():
    high = np.uint64(2**64 - 1)
    found = count_overlaps(np.array([[high, high, 0]], np.uint64), np.array([[1, 0, 2**62]], np.int64))
    assert found.reference_ids.tolist() == [2**64 - 1]
    assert found.prediction_ids.tolist() == [1, 2**62]
    assert found.voxels.tolist() == [1]


def test_half_of_an_object_does_not_cover_it():
    found = count_overlaps(np.array([[1, 1, 2, 2, 2]]), np.array([[5, 0, 6, 6, 0]]))
    assert found.covers.tolist() == [False, True]


def test_a_volume_is_read_slice_by_slice():
    labels = np.arange(24).reshape(2, 3, 4) % 5
    read = []

    def read_slice(z):
        read.append(z)
        return labels[z]

    found = count_overlaps(slice_stack(read_slice, labels.shape, labels.dtype), labels)
    assert read == [0, 1]
    np.testing.assert_array_equal(found.iou, 1)


def test_nothing_overlaps_where_there_is_nothing():
    for shape in ((3, 3), (2, 3, 3), (0, 3, 3)):
        found = count_overlaps(np.zeros(shape, np.uint8), np.ones(shape, np.uint8))
        assert found.reference_ids.size == found.voxels.size == 0


@pytest.mark.parametrize(
    ("reference", "prediction", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "`prediction` must have the shape"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "`reference` must hold whole numbers"),
        (np.zeros((1, 2), int), np.array([[-3, 1]]), "must not be negative. Received: -3"),
    ],
)
def test_bad_label_images_are_refused(reference, prediction, message):
    with pytest.raises(ValueError, match=message):
        count_overlaps(reference, prediction)
