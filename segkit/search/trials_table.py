"""The table that a search leaves in its folder."""

from __future__ import annotations

import csv
import io
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segkit.volumes.whole_output import whole_file

if TYPE_CHECKING:
    from segkit.search.tuner import SearchTrial

TRIALS_NAME = "trials.csv"


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
