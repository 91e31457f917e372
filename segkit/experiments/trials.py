"""Trainings side by side on the same data: the trials of comparisons, searches and ablations.

A finished trial leaves one small file, ``cell.json``, and its model. An interrupted one resumes inside its training.
"""

from __future__ import annotations

import gc
import json
import logging
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from segkit.errors import InputError
from segkit.experiments.job import Job
from segkit.experiments.lock import only_process_in
from segkit.experiments.old_plans import upgraded_trial
from segkit.experiments.plan import RunPlan
from segkit.experiments.training_run import publish, train
from segkit.json_object import read_object
from segkit.training.resumable import Resumable
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")
TRIAL_NAME = "cell.json"  # trials were called cells first; the name is a file format


def run_trial(
    job: Job, measure: Callable[[Job, Resumable], dict[str, Any]], *, keep_state: bool = False
) -> dict[str, Any]:
    """Train a job's network in its folder and measure it, or return what an earlier run has found.

    Args:
        job: What to train; volumes and pipeline may be shared with other trials.
        measure: Called with the job and the record of a published training; returns what ``json`` writes.
        keep_state: Keep what it takes to train on for more epochs.

    Returns:
        The trial, as written to ``cell.json``: ``plan``, ``epochs``, ``best_epoch``, the score that the task monitors
        under its own name (such as ``val_mean_iou``), ``seconds``, ``history``, and what was measured.

    Raises:
        InputError: If the folder holds a trial of another plan, or one of more epochs.
    """
    expected = trial_plan(job.plan)
    if found := read_trial(job.folder):
        check_trial_plan(job.folder, found["plan"], expected)
        if found["plan"]["training"]["epochs"] == expected["training"]["epochs"]:
            return found
        if not (job.folder / "state").exists():
            _LOG.warning("%s: trained from the start for more epochs; its state was not kept", job.folder)
    with only_process_in(job.folder):
        record = train(job, resume=True)
        publish(record)
    monitor = job.plan.task.monitor
    trial = {
        "plan": expected,
        "epochs": len(record.rows),
        "best_epoch": record.best_epoch + 1,
        monitor.name: record.rows[record.best_epoch][monitor.name],
        "seconds": round(record.seconds, 1),
        **measure(job, record),
        "history": [rounded(row) for row in record.rows],
    }
    with whole_file(job.folder / TRIAL_NAME, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(trial) + "\n")
    if not keep_state:
        drop_state(job.folder)
    # Networks hold cycles of references: without this several of them are in memory at a time.
    gc.collect()
    return trial


def drop_state(folder: pathlib.Path) -> None:
    """Remove what it would take to train a trial on; model and scores stay."""
    shutil.rmtree(folder / "state", ignore_errors=True)


def check_trial_plan(folder: pathlib.Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a trial of another plan; one of fewer epochs is the same.

    Args:
        folder: Where it was found.
        found: Its plan, of any version, as ``trial_plan`` returned it.
        expected: The plan that is wanted.

    Raises:
        InputError: If a setting differs.
    """
    if "task" not in found:  # of version 0.1
        found = upgraded_trial(found, expected["task"])
    # Model and training are compared setting by setting, so that the message names the one that differs.
    flat = [
        {**plan, **plan["model"], **plan["training"], "model": None, "training": None} for plan in (found, expected)
    ]
    for name, value in flat[1].items():
        other = flat[0].get(name)
        if other != value and not (name == "epochs" and other < value):
            raise InputError(
                f"{folder}: holds a training with {name} {other!r}, not {value!r}; choose another --out, or "
                "start again with --overwrite"
            )


def read_trial(folder: pathlib.Path) -> dict[str, Any] | None:
    """Return a finished trial; ``None`` where there is none.

    Raises:
        InputError: If the file of the trial is damaged.
    """
    path = folder / TRIAL_NAME
    if not path.exists():
        return None
    try:
        return read_object(path, "the result of a trial")
    except InputError as fault:
        raise InputError(f"{path}: damaged; delete it, and the trial is run again") from fault


def trial_plan(plan: RunPlan) -> dict[str, Any]:
    """Return what makes a trial the same as another, as ``json`` writes it: of its data the names, not the folders."""
    stored = plan.to_dict()
    values = {name: stored[name] for name in ("preprocessing", "model", "training")}
    values["task"] = plan.task.learning()
    told = 2 if plan.preprocessing.resizes else 1  # sequences of the challenge hold files of the same names
    values["files"] = [["/".join(pathlib.Path(p).parts[-told:]) for p in (s.tomogram, s.mask)] for s in plan.data]
    values["slices"] = [[source.train, source.validation, source.test] for source in plan.data]
    return json.loads(json.dumps(values))


def rounded(row: dict[str, float]) -> dict[str, float]:
    """Return a row of numbers with five digits each."""
    return {name: float(f"{value:.5g}") for name, value in row.items()}
