"""Stacks, or the slices of few stacks, are split without mixing neighbours."""

import pytest

from segkit.data.labeled_stacks import LabeledStack
from segkit.errors import InputError
from segkit.experiments.stack_sources import sources_of


def stack(name, count=10, annotated=None):
    annotated = tuple(range(count)) if annotated is None else annotated
    return LabeledStack(image=f"{name}.tif", labels=f"{name}-l.tif", count=count, annotated=annotated)


def uses(sources):
    return [(source.train, source.validation, source.test) for source in sources]


def test_three_stacks_are_split_as_wholes_and_fewer_in_their_slices():
    assert uses(sources_of([stack("a"), stack("b"), stack("c")])) == [("0-9", "", ""), ("", "0-9", ""), ("", "", "0-9")]
    assert uses(sources_of([stack("a"), stack("b")])) == [("0-6", "7", "8-9")] * 2


def test_stacks_that_are_only_scored_leave_the_others_to_the_training():
    found = sources_of([stack("a"), stack("b")], tests=[stack("t")])
    assert uses(found) == [("0-9", "", ""), ("", "0-9", ""), ("", "", "0-9")]
    assert uses(sources_of([stack("a")], tests=[stack("t")])) == [("0-8", "9", ""), ("", "", "0-9")]


def test_only_annotated_slices_are_used():
    (source,) = sources_of([stack("a", annotated=(0, 3, 4, 8))])
    assert (source.train, source.validation, source.test) == ("0,3", "4", "8")
    assert source.annotated_in_part
    with pytest.raises(InputError, match=r"a-l\.tif: slice 1 is not annotated"):
        sources_of([stack("a", annotated=(0, 3))], train_z="0-1", validation_z="3")


@pytest.mark.parametrize(
    ("given", "message"),
    [({"train_z": "0"}, "belong together"), ({"test_z": "0"}, "belong together")],
)
def test_slices_are_given_together(given, message):
    with pytest.raises(InputError, match=message):
        sources_of([stack("a")], **given)
    with pytest.raises(InputError, match="are for a single stack; found 2"):
        sources_of([stack("a"), stack("b")], **given)


def test_too_few_slices_are_refused():
    with pytest.raises(InputError, match="2 annotated slices; at least 3 slices or 3 stacks"):
        sources_of([stack("a", 2)])
