"""Slices that look as if nobody had painted them."""

import types

import pytest

from segkit.data.sources import Source
from segkit.tasks.painted import unpainted_notices


def volume(foreground, train=None, **source):
    return types.SimpleNamespace(
        source=Source(tomogram="t", mask="m.mrc", **source),
        mask=types.SimpleNamespace(name="m.mrc"),
        split=types.SimpleNamespace(train=range(len(foreground)) if train is None else train),
        labels=types.SimpleNamespace(foreground=foreground),
    )


@pytest.mark.parametrize(
    ("foreground", "is_told"),
    [
        ([5, 0, 7, 0, 0, 0, 0, 0, 0, 0], False),  # one gap, two painted slices
        ([5, 0, 0, 7, 0, 0, 0, 0, 0, 0], True),
        ([5, 0, 7, 0, 0, 0, 9, 0], True),
        ([0, 0, 4, 5, 6, 0, 0, 0, 0, 0], False),  # a structure that ends
        ([1, 1, 1, 0, 1, 1], False),  # a hole in it
        ([0, 0, 0], False),  # a negative
    ],
)
def test_gaps_between_painted_slices_are_told(foreground, is_told):
    found = unpainted_notices([volume(foreground), volume([1, 1])])
    assert len(found) == is_told
    if found:
        painted = sum(map(bool, foreground))
        assert f"m.mrc: foreground on {painted} of {len(foreground)} training slices" in found[0]
        assert "--annotation slices" in found[0]


def test_only_training_slices_count_and_those_that_are_known_to_be_painted_are_not_told():
    foreground = [5, 0, 0, 0, 6]
    assert unpainted_notices([volume(foreground)])
    assert not unpainted_notices([volume(foreground, train=[0, 4])])
    assert not unpainted_notices([volume(foreground, annotated_in_part=True)])


def test_slices_that_are_unannotated_as_wholes_are_no_gaps():
    foreground = [5, 0, 0, 0, 6]
    for ignored, count in (([0, 12, 12, 12, 0], 0), ([0, 11, 11, 11, 0], 1), ([0] * 5, 1), ([0, 12, 0, 0, 0], 1)):
        known = volume(foreground)
        known.mask.shape, known.labels.ignored = (5, 3, 4), tuple(ignored)
        assert len(unpainted_notices([known])) == count
