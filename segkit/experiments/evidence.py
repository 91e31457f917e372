"""What a recipe shows besides the scores of its task: baselines, other ways of scoring, how images are prepared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from segkit.data.sources import LabeledVolume
from segkit.report.page import Section
from segkit.training.resumable import Resumable

if TYPE_CHECKING:
    from segkit.experiments.job import Job


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run whose network is trained and whose volumes are predicted.

    Attributes:
        job: The run.
        record: The record of its training; the best model is in its folder.
        held_out: The volumes that are scored, each with its scored slices.
    """

    job: Job
    record: Resumable
    held_out: Sequence[tuple[LabeledVolume, Sequence[int]]]


class Evidence(Protocol):
    """More scores, and more sections of the report. A run to which it does not apply gets neither."""

    def scores(self, run: FinishedRun) -> dict[str, Any]:
        """Return entries for ``scores.json``."""

    def sections(self, run: FinishedRun, scores: dict[str, Any]) -> list[Section]:
        """Return sections of the report from what ``scores.json`` holds."""
