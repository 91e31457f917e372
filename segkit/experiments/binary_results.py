"""What a run of foreground and background shows: scores, headline, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segkit.data.sources import LabeledVolume
from segkit.evaluation.evaluate_volumes import Evaluation, evaluate_volumes
from segkit.experiments.percent import percent
from segkit.experiments.plan import RunPlan
from segkit.report.choose_slices import choose_slices
from segkit.report.overlay import Overlay, overlay
from segkit.report.page import Section
from segkit.training.preparation import Prepared
from segkit.training.resumable import Resumable
from segkit.volumes.volume import Volume

Scored = tuple[LabeledVolume, Volume, Evaluation]
"""A volume, what was predicted for it, and its scores."""


def evaluate(plan: RunPlan, mask: Volume, volume: LabeledVolume, slices: Sequence[int]) -> Evaluation:
    """Score the slices of a volume."""
    return evaluate_volumes(mask, volume.mask, slices=slices, ignore_value=plan.training.ignore_value)


def merged(plan: RunPlan, evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the slices of several volumes as one evaluation."""
    return Evaluation(tuple(entry for evaluation in evaluations for entry in evaluation.slices))


def extra_scores(
    plan: RunPlan, record: Resumable, prepared: Prepared, held_out: Sequence[tuple[LabeledVolume, Sequence[int]]]
) -> dict[str, Any]:
    """Return more scores: none."""
    return {}


def headline(scores: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers that matter."""
    total = scores["total"]
    return [
        ("Foreground IoU", percent(total["foreground_iou"])),
        ("Mean IoU", percent(total["mean_iou"])),
        ("Dice", percent(total["dice"])),
    ]


def sections(plan: RunPlan, scores: dict[str, Any], scored: Sequence[Scored]) -> list[Section]:
    """Return more sections for the report: none."""
    return []


def overlays(plan: RunPlan, scored: Sequence[Scored]) -> list[Overlay]:
    """Draw the best, the median and the worst of the scored slices of every volume."""
    return [picture for entry in scored for picture in _overlays(plan, *entry)]


def _overlays(plan: RunPlan, volume: LabeledVolume, mask: Volume, evaluation: Evaluation) -> list[Overlay]:
    ignore_value, drawn = plan.training.ignore_value, []
    for choice in choose_slices(evaluation.to_dict()):
        truth = volume.mask.array[choice.z]
        ignored = None if ignore_value is None else truth == ignore_value
        drawn.append(
            overlay(
                volume.tomogram.array[choice.z],
                truth if ignored is None else truth * ~ignored,
                mask.array[choice.z],
                caption=f"{choice.role.capitalize()} slice, z = {choice.z}: foreground IoU {choice.score:.3f}",
                ignored=ignored,
                voxel_size_nm=volume.tomogram.voxel_size_nm,
            )
        )
    return drawn
