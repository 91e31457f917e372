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


@given(st.integers(1, 9), st.integers(2, 6), st.integers(0, 60))
def test_blocks_are_held_out_whole_and_leave_one_to_train_on(depth, step, more):
    split = hold_out_every(2 * depth + more, step, depth=depth)
    assert sorted(split.train + split.validation) == list(range(2 * depth + more))
    held = list(split.validation)
    blocks = [held[first : first + depth] for first in range(0, len(held), depth)]
    assert blocks == [
        list(range(first, first + depth)) for first in range(0, 2 * depth + more - depth + 1, step * depth)
    ]
    assert any(set(range(z, z + depth)) <= set(split.train) for z in split.train)


def test_too_few_slices_for_a_block():
    with pytest.raises(InputError, match=r"has 7 slices: no run of 4 consecutive slices can be held out; .* 8 slices"):
        hold_out_every(7, depth=4)


def test_slices_in_two_uses_are_refused():
    with pytest.raises(InputError, match="slice 3 is used twice"):
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
