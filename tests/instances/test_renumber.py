import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from segkit.instances.renumber import renumbered, smallest_id_dtype


def test_the_smallest_type_holds_the_largest_id_and_no_smaller_one_does():
    for bits, dtype in ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)):
        assert smallest_id_dtype(2**bits - 1) == dtype
        if bits < 64:
            assert smallest_id_dtype(2**bits).itemsize == 2 * np.dtype(dtype).itemsize
    for wrong in (2**64, -1):
        with pytest.raises(ValueError, match="`largest` must be a whole number of at most 64 bits"):
            smallest_id_dtype(wrong)


@given(
    nps.arrays(
        np.uint64, nps.array_shapes(max_dims=3, max_side=5), elements=st.sampled_from([0, 1, 5, 2**63, 2**64 - 1])
    )
)
def test_the_partition_stays_and_ids_have_no_gaps(labels):
    found = renumbered(labels)
    ids = np.unique(labels[labels != 0])
    for number, label in enumerate(ids, start=1):
        np.testing.assert_array_equal(found == number, labels == label)
    np.testing.assert_array_equal(found == 0, labels == 0)
    assert found.dtype == np.uint8


def test_ids_that_are_not_kept_become_background():
    found = renumbered(np.array([0, 3, 4, 9, 4]), keep=np.array([4, 9, 77]))
    assert found.tolist() == [0, 0, 1, 2, 1]


def test_ids_that_are_kept_are_compared_as_whole_numbers():
    """Of 64 bits with and without sign NumPy makes floating-point numbers, which tell no two of these apart."""
    labels = np.array([0, 2**60 + 1, 2**60 + 2], np.uint64)
    assert renumbered(labels, keep=np.array([2**60 + 1])).tolist() == [0, 1, 0]


def test_more_than_255_objects_take_16_bits():
    found = renumbered(np.arange(300) * 7)
    assert found.dtype == np.uint16
    assert found.max() == 299
