"""Whether an annotation looks as if only some of its slices were painted, or as if it were inverted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from segkit.data.sources import LabeledVolume, write_slices
from segkit.volumes.checks import MaskCounts
from segkit.volumes.empty_slices import around, between, forgotten


def inverted_notices(volumes: Sequence[LabeledVolume]) -> list[str]:
    """Return lines about volumes whose mask looks inverted, by ``MaskCounts.warning``.

    Strokes show little of the structure and of the background, and other annotation than masks has no such side.

    Args:
        volumes: Opened volumes.
    """
    masks = [volume for volume in volumes if isinstance(volume.labels, MaskCounts) and not volume.source.strokes]
    return [f"{volume.mask.name}: {line}" for volume in masks if (line := volume.labels.warning)]


def unpainted_notices(volumes: Sequence[LabeledVolume]) -> list[str]:
    """Return lines about volumes whose empty slices look as if nobody had painted them.

    All slices are looked at that are used for anything. A structure that is in some slices and not in others is in
    consecutive ones, mostly, gets smaller before it ends, and does not vanish for one slice. So a line is returned
    where there are at least as many empty slices between the painted ones as painted ones; where a block of painted
    slices breaks off and at least as many slices around it are empty; and for single empty slices before and after
    which the same structure is painted (see ``segkit.volumes.empty_slices``). All others are learnt as background
    without a word.

    Args:
        volumes: Opened volumes whose ``labels`` have ``foreground``, the voxels of every slice; where they have
            ``ignored`` too, slices that are unannotated as wholes are not empty.
    """
    lines = []
    for volume in volumes:
        if volume.source.annotated_in_part:
            continue
        split, foreground = volume.split, volume.labels.foreground
        used = sorted({*split.train, *split.validation, *split.test})
        counts = {z: foreground[z] for z in used if _is_annotated(volume, z)}
        painted = [z for z in used if foreground[z]]
        gaps, outside = between(counts), around(counts, math.prod(volume.mask.shape[1:]))
        told = (
            f"{volume.mask.name}: foreground on {len(painted)} of {len(used)} slices "
            f"({_shortened(write_slices(painted))})"
        )
        # Fewer gaps than painted slices: a structure with a hole in it.
        if painted and len(gaps) >= len(painted):
            lines.append(
                f"{told}, with empty slices between them, which are learnt as background; if they were not annotated, "
                f"train on painted slices only: {_REMEDY}"
            )
            continue
        if painted and len(outside) >= len(painted):
            lines.append(
                f"{told}, where it breaks off; all others are learnt as background; if they were not annotated, train "
                f"on painted slices only: {_REMEDY}"
            )
        if holes := forgotten(counts, lambda z, volume=volume: _foreground(volume, z)):
            are, they = ("slice", "it is") if len(holes) == 1 else ("slices", "they are")
            lines.append(
                f"{volume.mask.name}: nothing on {are} {_shortened(write_slices(holes))}, but the same structure "
                f"before and after; {they} learnt as background; if forgotten, paint it there, or train on painted "
                f"slices only: {_REMEDY}"
            )
    return lines


_REMEDY = "--annotation slices (in Python `splits`)"


def _is_annotated(volume: LabeledVolume, z: int) -> bool:
    ignored = getattr(volume.labels, "ignored", ())
    return not ignored or ignored[z] < math.prod(volume.mask.shape[1:])


def _foreground(volume: LabeledVolume, z: int) -> np.ndarray:
    values = np.asarray(volume.mask.array[z])
    known = volume.ignore_value is None or values != volume.ignore_value
    return (values != 0) & known


def _shortened(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
