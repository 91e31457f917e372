"""Search for settings of a network, and the run that the best of them becomes."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner

from segkit.errors import InputError
from segkit.experiments.folder import SEARCH_NAME
from segkit.experiments.job import Job, Network
from segkit.experiments.modes import Search
from segkit.experiments.plan import RunPlan
from segkit.experiments.trials import drop_state, read_trial, run_trial, trial_plan
from segkit.experiments.variation import varied
from segkit.search.oracles import DistinctBayesianOracle, HalvingOracle, LeasedTrials, is_worker
from segkit.search.tuner import SearchTrial, search
from segkit.training.resumable import Resumable

_OBJECTIVE = keras_tuner.Objective("val_mean_iou", "max")
_LEAST_EPOCHS_SHARE = 9  # successive halving begins with a ninth of the epochs and keeps every third point, twice
_FACTOR = 3


def search_settings(
    job: Job,
    settings: Search,
    network: Callable[[RunPlan], Network],
    measure: Callable[[Job, Resumable], dict[str, Any]],
    trials: int | None,
) -> Job | None:
    """Search for the best settings of a job's network, or resume an interrupted search.

    All trials read from one pipeline. Each has a folder below ``search/points``; the state of the best one becomes that
    of the run, so that nothing is trained again.

    Args:
        job: The run that the search is for.
        settings: What is searched for.
        network: Returns the network of a plan.
        measure: Called with the job and the record of a trial; returns what is kept of it.
        trials: Number of trials of the Bayesian search; ``None`` for successive halving, which plans by itself.

    Returns:
        The job with the best settings, its training done; ``None`` in a worker.

    Raises:
        InputError: If the folder holds another search.
    """
    searched = settings.searched(job.plan)
    folder, full = job.folder / SEARCH_NAME, job.plan.training.epochs

    def evaluate(values: Mapping[str, Any], point: pathlib.Path, epochs: int | None) -> dict[str, float]:
        trial = run_trial(varied(job, network, point, epochs=epochs, **values), measure, keep_state=True)
        if epochs is None:
            keep_best_state(point.parent)
        return {"val_mean_iou": trial["val_mean_iou"]}

    identity = trial_plan(job.plan)
    identity["model"] = {name: value for name, value in identity["model"].items() if name not in searched}
    oracle = oracle_for(job, settings.space(job.plan), trials)
    done = search(evaluate, oracle, folder, identity={"structure": job.plan.structure, **identity})
    if is_worker():
        return None
    best = best_trial(done, full)
    take_over(best.folder, job.folder)
    for point in {trial.folder for trial in done} - {best.folder}:
        drop_state(point)
    return varied(job, network, job.folder, **best.values)


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
    """Return the oracle of a search: Bayesian of so many trials, or successive halving."""
    training = job.plan.training
    shared = {"objective": _OBJECTIVE, "hyperparameters": space, "seed": training.seed + 1}  # 0 means "any" there
    if trials is not None:
        return DistinctBayesianOracle(max_trials=trials, **shared)
    least = max(1, training.epochs // _LEAST_EPOCHS_SHARE)
    return HalvingOracle(min_epochs=least, max_epochs=training.epochs, factor=_FACTOR, **shared)


def best_trial(trials: list[SearchTrial], epochs: int) -> SearchTrial:
    """Return the best of the trials that were trained to the end.

    Raises:
        InputError: If there is none.
    """
    whole = [trial for trial in trials if trial.score is not None and trial.epochs in (None, epochs)]
    if not whole:
        raise InputError("the search has no finished trial; resume it with --resume")
    return max(whole, key=lambda trial: (trial.score, trial.folder.name))


def keep_best_state(points: pathlib.Path) -> None:
    """Remove the state of all finished points but the best one: of many trials it would fill the disk."""
    trials = {folder: trial for folder in points.iterdir() if (trial := read_trial(folder))}
    best = max(trials, key=lambda folder: (trials[folder]["val_mean_iou"], folder.name))  # as best_trial chooses
    for folder in trials:
        if folder != best:
            drop_state(folder)
