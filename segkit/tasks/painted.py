"""Whether an annotation looks as if only some of its slices were painted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segkit.data.sources import LabeledVolume, write_slices


def unpainted_notices(volumes: Sequence[LabeledVolume]) -> list[str]:
    """Return a line for each volume that has empty training slices between those with foreground.

    A structure that is in some slices and not in others is in consecutive ones, mostly: gaps hint at slices that were
    never looked at, and would be learnt as background.

    Args:
        volumes: Opened volumes whose ``labels`` have ``foreground``, the voxels of every slice; where they have
            ``ignored`` too, slices that are unannotated as wholes are no gaps.
    """
    lines = []
    for volume in volumes:
        trained, foreground = volume.split.train, volume.labels.foreground
        painted = [z for z in trained if foreground[z]]
        if not painted or volume.source.annotated_in_part:
            continue
        between = [z for z in trained if painted[0] < z < painted[-1] and not foreground[z] and _is_learnt(volume, z)]
        # Fewer gaps than painted slices: a structure with a hole in it.
        if len(between) >= len(painted):
            lines.append(
                f"{volume.mask.name}: foreground on {len(painted)} of {len(trained)} training slices "
                f"({_shortened(write_slices(painted))}), with empty slices between them, which are learnt as "
                "background; if they were not annotated, train on painted slices only: --annotation slices (in Python "
                "`splits`)"
            )
    return lines


def _is_learnt(volume: LabeledVolume, z: int) -> bool:
    ignored = getattr(volume.labels, "ignored", ())
    return not ignored or ignored[z] < math.prod(volume.mask.shape[1:])


def _shortened(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
