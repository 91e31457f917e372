"""The table that a search leaves in its folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
from collections.abc import Sequence
from typing import Any

from segkit.volumes.whole_output import whole_file

TRIALS_NAME = "trials.csv"


@dataclasses.dataclass(frozen=True)
class SearchTrial:
    """A trial of a search.

    Attributes:
        number: Place in the order of the trials, from 0.
        values: Value of every searched setting.
        epochs: Epochs it was given; ``None`` where all trials have the same.
        score: What the search raises; ``None`` while it is not known.
        status: KerasTuner's word: ``"COMPLETED"``, ``"RUNNING"``, ``"FAILED"``, ...
        folder: Folder of its point, where ``evaluate`` has left what it wanted.
    """

    number: int
    values: dict[str, Any]
    epochs: int | None
    score: float | None
    status: str
    folder: pathlib.Path


def write_trials(trials: Sequence[SearchTrial], folder: pathlib.Path) -> None:
    """Write the table of a search, ``trials.csv``."""
    text = io.StringIO()
    names = dict.fromkeys(name for trial in trials for name in trial.values)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *names, "epochs", "score", "status"])
    for trial in trials:
        values = [trial.values.get(name, "") for name in names]
        ends = ("" if entry is None else entry for entry in (trial.epochs, trial.score))
        writer.writerow([trial.number, *values, *ends, trial.status])
    with whole_file(folder / TRIALS_NAME, overwrite=True) as unfinished:
        unfinished.write_text(text.getvalue())
