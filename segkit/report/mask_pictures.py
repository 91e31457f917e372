"""Pictures of scored masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segkit.report.choose_slices import choose_slices
from segkit.report.overlay import Overlay, overlay
from segkit.report.short_name import short_name
from segkit.volumes.volume import Volume

if TYPE_CHECKING:
    from segkit.data.sources import LabeledVolume
    from segkit.evaluation.evaluate_volumes import Evaluation

    Scored = tuple[LabeledVolume, Volume, Evaluation]
    """A volume, what was predicted for it, and its scores."""


def mask_pictures(scored: Sequence[Scored], ignore_value: int | None) -> list[Overlay]:
    """Draw the best, the median and the worst of the scored slices of every volume.

    Args:
        scored: Volumes, their predicted masks, and the scores of both.
        ignore_value: Value of unannotated voxels.
    """
    return [picture for entry in scored for picture in _pictures(*entry, ignore_value, tells_name=len(scored) > 1)]


def _pictures(
    volume: LabeledVolume, mask: Volume, evaluation: Evaluation, ignore_value: int | None, *, tells_name: bool
) -> list[Overlay]:
    of = f" of {short_name(volume.tomogram)}" if tells_name else ""
    drawn = []
    for choice in choose_slices(evaluation.to_dict()):
        truth = volume.mask.array[choice.z]
        ignored = None if ignore_value is None else truth == ignore_value
        drawn.append(
            overlay(
                volume.tomogram.array[choice.z],
                truth if ignored is None else truth * ~ignored,
                mask.array[choice.z],
                caption=f"{choice.role.capitalize()} slice{of}, z = {choice.z}: foreground IoU {choice.score:.3f}",
                ignored=ignored,
                voxel_size_nm=volume.tomogram.voxel_size_nm,
            )
        )
    return drawn
