"""Search for settings of a network, and the run that the best of them becomes."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner

from segkit.errors import InputError
from segkit.experiments.folder import SEARCH_NAME
from segkit.experiments.job import Job
from segkit.experiments.modes import Search
from segkit.experiments.trials import drop_state, read_trial, run_trial, trial_plan
from segkit.json_object import read_object
from segkit.monitor import Monitor
from segkit.search.oracles import DistinctBayesianOracle, HalvingOracle, LeasedTrials, is_worker
from segkit.search.trials_table import SearchTrial
from segkit.search.tuner import IDENTITY_NAME, search
from segkit.training.resumable import Resumable
from segkit.volumes.whole_output import whole_file

_LEAST_EPOCHS_SHARE = 9  # successive halving begins with a ninth of the epochs and keeps every third point, twice
_FACTOR = 3


def search_settings(
    job: Job,
    settings: Search,
    measure: Callable[[Job, Resumable], dict[str, Any]],
    trials: int | None,
) -> Job | None:
    """Search for the best settings of a job's network, or resume an interrupted search.

    All trials read from one pipeline. Each has a folder below ``search/points``; the state of the best one becomes that
    of the run, so that nothing is trained again.

    Args:
        job: The run that the search is for.
        settings: What is searched for.
        measure: Called with the job and the record of a trial; returns what is kept of it.
        trials: Number of trials of the Bayesian search; ``None`` for successive halving, which plans by itself.

    Returns:
        The job with the best settings, its training done; ``None`` in a worker.

    Raises:
        InputError: If the folder holds another search.
    """
    searched = settings.searched(job.plan)
    monitor = job.plan.task.monitor
    folder, full = job.folder / SEARCH_NAME, job.plan.training.epochs

    def evaluate(values: Mapping[str, Any], point: pathlib.Path, epochs: int | None) -> dict[str, float]:
        trial = run_trial(settings.vary(job, point, epochs=epochs, **values), measure, keep_state=True)
        # Successive halving continues from the states of its trials, so these all stay.
        if epochs is None:
            keep_best_state(point.parent, monitor)
        return {monitor.name: trial[monitor.name]}

    identity = trial_plan(job.plan)
    for part in ("model", "task"):  # what is found is not what the search began with
        identity[part] = {name: value for name, value in identity[part].items() if name not in searched}
    upgrade_identity(folder / IDENTITY_NAME, identity)
    oracle = oracle_for(job, settings.space(job.plan), trials)
    done = search(evaluate, oracle, folder, identity={"structure": job.plan.structure, **identity})
    if is_worker():
        return None
    # The best trial becomes the run; what the others would need to be continued is removed.
    best = best_trial(done, full, monitor)
    take_over(best.folder, job.folder)
    for point in {trial.folder for trial in done} - {best.folder}:
        drop_state(point)
    return settings.vary(job, job.folder, **best.values)


def upgrade_identity(path: pathlib.Path, identity: Mapping[str, Any]) -> None:
    """Bring what a search of version 0.1 is about into today's layout, so that it is resumed.

    Args:
        path: Its file; nothing is done where there is none.
        identity: What the search is about now. At that time classes took the place of the task, and grey values were
            always standardised.
    """
    try:
        known = read_object(path, "the record of a search")
    except (OSError, InputError):
        return  # the search reports a damaged one
    if "task" in known or known.get("classes") != identity["task"].get("class_names"):
        return
    del known["classes"]
    known |= {name: identity[name] for name in ("task", "preprocessing")}
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(known, indent=1) + "\n")


def take_over(trial: pathlib.Path, folder: pathlib.Path) -> None:
    """Make the training of a trial that of a run folder."""
    for name in ("state", "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
        if (trial / name).exists():
            shutil.copytree(trial / name, folder / name)
    for name in ("model.keras", "log.csv", "magnitudes.csv"):
        if (trial / name).exists():
            shutil.copyfile(trial / name, folder / name)


def oracle_for(job: Job, space: keras_tuner.HyperParameters, trials: int | None) -> LeasedTrials:
    """Return the oracle of a search: Bayesian with a number of trials, or successive halving."""
    training = job.plan.training
    monitor = job.plan.task.monitor
    objective = keras_tuner.Objective(monitor.name, monitor.mode)
    shared = {"objective": objective, "hyperparameters": space, "seed": training.seed + 1}  # 0 means "any" there
    if trials is not None:
        return DistinctBayesianOracle(max_trials=trials, **shared)
    least = max(1, training.epochs // _LEAST_EPOCHS_SHARE)
    return HalvingOracle(min_epochs=least, max_epochs=training.epochs, factor=_FACTOR, **shared)


def best_trial(trials: list[SearchTrial], epochs: int, monitor: Monitor) -> SearchTrial:
    """Return the best of the trials that were trained to the end.

    Raises:
        InputError: If there is none.
    """
    whole = [trial for trial in trials if trial.score is not None and trial.epochs in (None, epochs)]
    if not whole:
        raise InputError("no trial of the search has finished; resume it with --resume")
    return max(whole, key=lambda trial: (_sign(monitor) * trial.score, trial.folder.name))


def keep_best_state(points: pathlib.Path, monitor: Monitor) -> None:
    """Remove the state of all finished points but the best one: of many trials it would fill the disk."""
    trials = {folder: trial for folder in points.iterdir() if (trial := read_trial(folder))}
    # As best_trial chooses.
    best = max(trials, key=lambda folder: (_sign(monitor) * trials[folder][monitor.name], folder.name))
    for folder in trials:
        if folder != best:
            drop_state(folder)


def _sign(monitor: Monitor) -> int:
    """Return 1 where a higher score is better, else -1."""
    return 1 if monitor.mode == "max" else -1
