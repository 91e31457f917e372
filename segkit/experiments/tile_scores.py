"""Scores tile by tile, with re-estimated and with running statistics of batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segkit.evaluation.class_scores import class_scores
from segkit.experiments.job import FinishedRun
from segkit.models.files import load_model
from segkit.report.page import Section
from segkit.report.sections import score_rows
from segkit.training.patch_counter import PatchCounter
from segkit.training.preparation import Prepared
from segkit.training.reestimate_statistics import ReestimateStatistics, use_running_statistics
from segkit.training.resumable import Resumable

STATISTICS = {"reestimated": "re-estimated", "running": "running"}
"""Kinds of statistics of batch normalisation that networks are scored with, and their names for readers."""


class TileScores:
    """Score a network of several classes on the very tiles it is validated on, as papers that cut images do."""

    def scores(self, run: FinishedRun) -> dict[str, Any]:
        """Return the scores of validation and test tiles."""
        return tile_scores(run.record, run.job.prepared, run.job.plan.task.class_names)

    def sections(self, run: FinishedRun, scores: dict[str, Any]) -> list[Section]:
        """Show them in a table."""
        rows = [
            (f"{use}, {STATISTICS[statistics]} statistics", entry)
            for use, kinds in scores["tiles"].items()
            for statistics, entry in kinds.items()
        ]
        return [Section("Scores tile by tile", score_rows(rows))]


def tile_scores(record: Resumable, prepared: Prepared, class_names: Sequence[str]) -> dict[str, Any]:
    """Score the published model tile by tile, with every kind of statistics of its normalisation that there is.

    Returns:
        ``{"tiles": {"validation": {"reestimated": scores, "running": scores}, "test": ...}}``; without ``"test"``
        where nothing was kept for it, without ``"reestimated"`` where statistics were not re-estimated.
    """
    model = load_model(record.folder)
    counter = PatchCounter(model)
    samplers = {"validation": prepared.validation, "test": prepared.test}
    found: dict[str, Any] = {use: {} for use, sampler in samplers.items() if sampler is not None}
    memory = record.best_memory.get(ReestimateStatistics.__name__)
    # The model comes with re-estimated statistics. Running ones replace them in place, so they are scored last.
    for statistics in STATISTICS if memory else ("running",):
        if statistics == "running" and memory:
            use_running_statistics(model, memory["running"])
        for use in found:
            confusion = counter.count(samplers[use])
            found[use][statistics] = {**class_scores(confusion, class_names), "confusion": confusion.tolist()}
    return {"tiles": found}
