import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit.data.sources import write_slices
from segkit.data.splits import Split, hold_out_every, parse_slices
from segkit.errors import InputError


def test_the_papers_stack_gives_sixteen_of_seventy_six():
    split = hold_out_every(76)
    assert len(split.validation) == 16
    assert len(split.train) == 60
    assert not set(split.train) & set(split.validation)


def test_one_slice_can_not_be_held_out():
    with pytest.raises(InputError, match="has 1 slice: none can be held out"):
        hold_out_every(1)


def test_slices_in_two_uses_are_refused():
    with pytest.raises(InputError, match="slice 3 is in two"):
        Split(train=(1, 2, 3), validation=(0,), test=(3,))


@given(st.sets(st.integers(0, 99), min_size=1))
def test_slices_are_read_as_they_are_written(chosen):
    indices = tuple(sorted(chosen))
    assert parse_slices(write_slices(indices), 100) == indices


@pytest.mark.parametrize(
    ("text", "message"), [("a-b", "cannot be read"), ("1-", "cannot be read"), ("0-8", "slices 0 to 7")]
)
def test_slices_without_meaning_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_slices(text, 8)
