"""What a run of several classes shows: scores, headline, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from segkit.data.sources import LabeledVolume
from segkit.evaluation.class_scores import class_scores
from segkit.evaluation.evaluate_classes import ClassEvaluation, evaluate_classes
from segkit.experiments.percent import percent
from segkit.experiments.plan import RunPlan
from segkit.models.files import load_model
from segkit.report.choose_slices import choose_slices
from segkit.report.label_overlay import label_overlay
from segkit.report.overlay import Overlay
from segkit.report.page import Section
from segkit.report.sections import score_rows
from segkit.training.count_patches import count_patches
from segkit.training.preparation import Prepared
from segkit.training.reestimate_statistics import ReestimateStatistics, use_running_statistics
from segkit.training.resumable import Resumable
from segkit.volumes.volume import Volume

Scored = tuple[LabeledVolume, Volume, ClassEvaluation]
"""A volume, what was predicted for it, and its scores."""

STATISTICS = {"reestimated": "re-estimated", "running": "running"}
"""Kinds of statistics of batch normalisation that networks are scored with, and how readers are told."""


def evaluate(plan: RunPlan, labels: Volume, volume: LabeledVolume, slices: Sequence[int]) -> ClassEvaluation:
    """Score the slices of a volume."""
    return evaluate_classes(labels, volume.mask, plan.classes, slices=slices, ignore_value=plan.training.ignore_value)


def merged(plan: RunPlan, evaluations: Sequence[ClassEvaluation]) -> ClassEvaluation:
    """Return the slices of several volumes as one evaluation."""
    return ClassEvaluation(plan.classes, tuple(entry for evaluation in evaluations for entry in evaluation.slices))


def headline(scores: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers that matter."""
    total = scores["total"]
    return [
        ("Mean IoU", percent(total["mean_iou"])),
        *((f"IoU: {name}", percent(value)) for name, value in total["iou"].items()),
    ]


def extra_scores(
    plan: RunPlan, record: Resumable, prepared: Prepared, held_out: Sequence[tuple[LabeledVolume, Sequence[int]]]
) -> dict[str, Any]:
    """Return the scores tile by tile."""
    return tile_scores(record, prepared, plan.classes)


def tile_scores(record: Resumable, prepared: Prepared, classes: Sequence[str]) -> dict[str, Any]:
    """Score the published model tile by tile, with re-estimated and with running statistics of its normalisation.

    Returns:
        ``{"tiles": {"validation": {"reestimated": scores, "running": scores}, "test": ...}}``; without ``"test"``
        where nothing was kept for it.
    """
    model = load_model(record.folder)
    samplers = {"validation": prepared.validation, "test": prepared.test}
    found: dict[str, Any] = {use: {} for use, sampler in samplers.items() if sampler is not None}
    for statistics in STATISTICS:
        if statistics == "running":
            use_running_statistics(model, record.best_memory[ReestimateStatistics.__name__]["running"])
        for use in found:
            confusion = count_patches(model, samplers[use])
            found[use][statistics] = {**class_scores(confusion, classes), "confusion": confusion.tolist()}
    return {"tiles": found}


def sections(plan: RunPlan, scores: dict[str, Any], scored: Sequence[Scored]) -> list[Section]:
    """Show the scores tile by tile, with both statistics of the normalisation."""
    rows = [
        (f"{use}, {STATISTICS[statistics]} statistics", entry)
        for use, kinds in scores["tiles"].items()
        for statistics, entry in kinds.items()
    ]
    return [Section("Scores tile by tile", score_rows(rows))]


def overlays(plan: RunPlan, scored: Sequence[Scored]) -> list[Overlay]:
    """Draw the best, the median and the worst of the scored slices of every volume."""
    return [
        label_overlay(
            volume.tomogram.array[choice.z],
            np.asarray(volume.mask.array[choice.z]),
            {"Prediction": np.asarray(labels.array[choice.z])},
            plan.classes,
            caption=f"{choice.role.capitalize()} slice, z = {choice.z}: mean IoU {choice.score:.3f}",
            ignore_value=plan.training.ignore_value,
            voxel_size_nm=volume.tomogram.voxel_size_nm,
        )
        for volume, labels, evaluation in scored
        for choice in choose_slices(evaluation.to_dict(), "mean_iou")
    ]
