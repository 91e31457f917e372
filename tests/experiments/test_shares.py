import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.errors import InputError
from segkit.experiments.shares import split_counts, split_in_order


@pytest.mark.parametrize(
    ("count", "shares"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (10, (7, 1, 2)), (50, (35, 5, 10)), (100, (70, 10, 20))]
)
def test_every_use_gets_its_share(count, shares):
    assert split_counts(count) == shares


@given(st.integers(3, 500))
def test_no_use_goes_without_and_no_image_is_lost(count):
    shares = split_counts(count)
    assert min(shares) >= 1
    assert sum(shares) == count
    assert split_counts(count, has_test=False) == (count - shares[1], shares[1], 0)


def test_blocks_follow_each_other():
    assert split_in_order("i.tif", range(50)) == ["0-34", "35-39", "40-49"]
    assert split_in_order("i.tif", range(3)) == ["0", "1", "2"]
    assert split_in_order("i.tif", [2, 4, 9, 10]) == ["2,4", "9", "10"]


def test_too_few_are_refused():
    with pytest.raises(InputError, match=r"i\.tif: 2 images; at least 3 are needed"):
        split_in_order("i.tif", range(2))
    with pytest.raises(InputError, match="1 images; at least 2 are needed"):
        split_counts(1, has_test=False)
