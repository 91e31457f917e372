"""Slices that look as if nobody had painted them."""

import types

import numpy as np
import pytest

from segkit.data.sources import Source
from segkit.data.splits import Split
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.painted import inverted_notices, unpainted_notices
from segkit.volumes.checks import MaskCounts
from segkit.volumes.volume import Volume


def volume(foreground, train=None, validation=(), *, overlap=True, ignore_value=None, **source):
    """Return a volume with so many foreground voxels in its slices, at the same place or every time at another."""
    mask = np.zeros((len(foreground), 10, 100), np.uint8)
    for z, count in enumerate(foreground):
        mask[z, 0 if overlap else z % 10, :count] = 1
    return types.SimpleNamespace(
        source=Source(tomogram="t", mask="m.mrc", **source),
        mask=Volume(array=mask, source="m.mrc"),
        split=Split(train=tuple(range(len(foreground)) if train is None else train), validation=validation),
        labels=types.SimpleNamespace(foreground=foreground),
        ignore_value=ignore_value,
    )


@pytest.mark.parametrize(
    ("foreground", "is_told"),
    [
        ([5, 0, 7, 0, 0, 0, 0, 0, 0, 0], False),  # one gap, two painted slices
        ([5, 0, 0, 7, 0, 0, 0, 0, 0, 0], True),
        ([5, 0, 7, 0, 0, 0, 9, 0], True),
        ([0, 0, 1, 9, 1, 0, 0, 0, 0, 0], False),  # a structure that ends
        ([1, 1, 1, 0, 1, 1], False),  # a hole in it
        ([0, 0, 0], False),  # a negative
    ],
)
def test_gaps_between_painted_slices_are_told(foreground, is_told):
    found = unpainted_notices([volume(foreground, overlap=False), volume([1, 1])])
    found = [line for line in found if "breaks off" not in line]
    assert len(found) == is_told
    if found:
        painted = sum(map(bool, foreground))
        assert f"m.mrc: foreground on {painted} of {len(foreground)} slices" in found[0]
        assert "--annotation slices" in found[0]


@pytest.mark.parametrize(
    ("foreground", "is_told"),
    [
        ([0, 0, 0, 0, 9, 12, 15, 17, 0, 0, 0, 0, 0, 0, 0, 0], True),
        ([0, 0, 9, 12, 0, 0], True),
        ([0, 9, 12, 15, 0, 0], True),
        ([0, 9, 12, 15, 0], False),  # fewer empty slices than painted ones
        ([0, 0, 0, 3, 12, 15, 2, 0, 0, 0], False),  # small before it ends
    ],
)
def test_a_block_of_painted_slices_that_breaks_off_is_told(foreground, is_told):
    found = unpainted_notices([volume(foreground)])
    assert len(found) == is_told
    if found:
        assert "where it breaks off" in found[0] and "--annotation slices" in found[0]


def test_a_forgotten_slice_is_told_whatever_it_is_used_for():
    foreground = [5, 5, 0, 5, 5]
    line = "m.mrc: nothing on slice 2, but the same structure before and after; it is learnt as background"
    for uses in ({}, {"train": [0, 1, 3, 4], "validation": (2,)}):
        (found,) = unpainted_notices([volume(foreground, **uses)])
        assert found.startswith(line)
    assert not unpainted_notices([volume(foreground, train=[0, 1, 3, 4])])  # used for nothing
    assert not unpainted_notices([volume(foreground, overlap=False)])
    (found,) = unpainted_notices([volume([5, 5, 0, 5, 0, 5, 5])])
    assert "nothing on slices 2,4" in found
    # What is shared alone is unannotated.
    apart = volume(foreground, overlap=False, ignore_value=255)
    apart.mask.array[[0, 1, 3, 4], 9] = 255
    assert not unpainted_notices([apart])
    apart.ignore_value = None
    assert unpainted_notices([apart])


def test_only_slices_that_are_used_count_and_those_that_are_known_to_be_painted_are_not_told():
    foreground = [5, 0, 0, 0, 6]
    assert unpainted_notices([volume(foreground)])
    assert unpainted_notices([volume(foreground, train=[0, 4], validation=(1, 2))])
    assert not unpainted_notices([volume(foreground, train=[0, 4])])
    assert not unpainted_notices([volume(foreground, annotated_in_part=True)])


def test_slices_that_are_unannotated_as_wholes_are_no_gaps():
    foreground = [5, 0, 0, 0, 6]
    all_of_it = 1000
    cases = ([0, *[all_of_it] * 3, 0], 0), ([0, 11, 11, 11, 0], 1), ([0] * 5, 1), ([0, all_of_it, 0, 0, 0], 1)
    for ignored, count in cases:
        known = volume(foreground)
        known.labels.ignored = tuple(ignored)
        assert len(unpainted_notices([known])) == count


def test_an_inverted_mask_is_told_once_however_it_is_annotated():
    for source, count in (({}, 1), ({"annotated_in_part": True}, 1), ({"annotated_in_part": True, "strokes": True}, 0)):
        inverted = volume([900, 900], **source)
        assert not unpainted_notices([inverted])
        counts = {"foreground": (900, 900), "background": (100, 100), "ignored": (0, 0)}
        inverted.labels = MaskCounts(foreground_value=1, **counts, border_share=0.9)
        assert inverted_notices([inverted]) == count * [f"m.mrc: {inverted.labels.warning}"]
        assert ForegroundTask().notices([inverted]) == inverted_notices([inverted])
        # Counts of another kind may have a warning of their own.
        inverted.labels = types.SimpleNamespace(**counts, warning="something else")
        assert ForegroundTask().notices([inverted]) == []
