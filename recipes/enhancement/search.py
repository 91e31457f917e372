"""Search for the settings of a method, and the run that the best of them becomes."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import keras_tuner

from recipes.enhancement.cells import job_of, run_cell
from recipes.enhancement.methods import METHODS
from segkit.errors import InputError
from segkit.experiments.job import Job
from segkit.experiments.plan import SEARCH_NAME
from segkit.experiments.training_cells import cell_plan, drop_state, read_cell
from segkit.search.oracles import DistinctBayesianOracle, HalvingOracle, LeasedTrials, is_worker
from segkit.search.tuner import SearchTrial, search

_OBJECTIVE = keras_tuner.Objective("val_mean_iou", "max")
_GAINS = (1.0, 1000.0)  # the paper gives no range
_SHARES = (0.01, 0.99)
_LEAST_EPOCHS_SHARE = 9  # successive halving begins with a ninth of the epochs and keeps every third point, twice
_FACTOR = 3


def search_settings(job: Job, trials: int | None) -> Job | None:
    """Search for the best settings of a job's method, or go on with a search that was cut off.

    All trials read from one pipeline. Each is a cell of its own below ``search/points``; the state of the best one
    becomes that of the run, so that nothing is trained again.

    Args:
        job: The run that the search is for.
        trials: Number of trials of the Bayesian search; ``None`` for successive halving, which plans by itself.

    Returns:
        The job with the best settings, its training done; ``None`` in a worker.

    Raises:
        InputError: If the folder holds another search.
    """
    searched = METHODS[job.plan.model["method"]].searched
    folder, full = job.folder / SEARCH_NAME, job.plan.training.epochs

    def evaluate(values: Mapping[str, Any], point: pathlib.Path, epochs: int | None) -> dict[str, float]:
        cell_job = job_of(job, point, **values)
        training = dataclasses.replace(cell_job.plan.training, epochs=epochs or full)
        cell_job = dataclasses.replace(cell_job, plan=dataclasses.replace(cell_job.plan, training=training))
        cell = run_cell(cell_job, keep_state=True)
        if epochs is None:
            _keep_best_state(point.parent)
        return {"val_mean_iou": cell["val_mean_iou"]}

    identity = cell_plan(job.plan)
    identity["model"] = {name: value for name, value in identity["model"].items() if name not in searched}
    done = search(evaluate, oracle_for(job, trials), folder, identity={"structure": job.plan.structure, **identity})
    if is_worker():
        return None
    best = best_trial(done, full)
    for name in ("state", "tensorboard"):
        shutil.rmtree(job.folder / name, ignore_errors=True)
        if (best.folder / name).exists():
            shutil.copytree(best.folder / name, job.folder / name)
    for name in ("model.keras", "log.csv", "magnitudes.csv"):
        shutil.copyfile(best.folder / name, job.folder / name)
    for point in {trial.folder for trial in done} - {best.folder}:
        drop_state(point)
    return job_of(job, job.folder, **best.values)


def oracle_for(job: Job, trials: int | None) -> LeasedTrials:
    """Return the oracle of a search."""
    model, training = job.plan.model, job.plan.training
    space = keras_tuner.HyperParameters()
    if "gain" in METHODS[model["method"]].searched:
        space.Int("num_enhanced", 1, model["filters"][-1])
        space.Float("gain", *_GAINS, sampling="log")
    else:
        space.Float("supervision", *_SHARES)
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
        raise InputError("the search has no finished trial; go on with --resume")
    return max(whole, key=lambda trial: (trial.score, trial.folder.name))


def _keep_best_state(points: pathlib.Path) -> None:
    """Remove the state of all finished points but the best one: of many trials it would fill the disk."""
    cells = {folder: cell for folder in points.iterdir() if (cell := read_cell(folder))}
    best = max(cells, key=lambda folder: (cells[folder]["val_mean_iou"], folder.name))  # as best_trial chooses
    for folder in cells:
        if folder != best:
            drop_state(folder)
