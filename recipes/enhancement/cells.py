"""Trainings of one method, seed and setting each: the cells of comparisons and searches of ``recipes.fre``."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from recipes.enhancement.methods import task_of
from recipes.enhancement.network import network
from segkit.experiments import training_cells
from segkit.experiments.job import Job
from segkit.experiments.tile_scores import tile_scores
from segkit.experiments.training_cells import rounded
from segkit.training.record_magnitudes import read_magnitudes
from segkit.training.resumable import Resumable


def run_cell(job: Job, *, keep_state: bool = False) -> dict[str, Any]:
    """Train a job's network as ``training_cells.run_cell`` does.

    Args:
        job: What to train.
        keep_state: Keep what it takes to train on for more epochs.

    Returns:
        The cell, with ``tiles`` (scores of validation and test tiles with re-estimated and with running statistics) and
        ``magnitudes``.

    Raises:
        InputError: If the folder holds a cell of another plan, or one of more epochs.
    """
    return training_cells.run_cell(job, _measure, keep_state=keep_state)


def _measure(job: Job, record: Resumable) -> dict[str, Any]:
    return {
        **tile_scores(record, job.prepared, job.plan.task.class_names),
        "magnitudes": [rounded(row) for row in read_magnitudes(job.folder)],
    }


def job_of(job: Job, folder: pathlib.Path, *, seed: int | None = None, **model: Any) -> Job:
    """Return a job on the same data and pipeline with another network.

    Args:
        job: The job to vary.
        folder: Folder of the new one.
        seed: Seed of weights, order and augmentation; the same if not given.
        **model: Changes of the plan's ``model``.
    """
    seed = job.plan.training.seed if seed is None else seed
    settings = {**job.plan.model, **model}
    plan = dataclasses.replace(
        job.plan,
        model=settings,
        task=task_of(job.plan.task.class_names, settings),
        training=dataclasses.replace(job.plan.training, seed=seed),
    )
    prepared = dataclasses.replace(job.prepared, training=job.prepared.training.with_seed(seed))
    return dataclasses.replace(job, plan=plan, folder=folder, prepared=prepared, network=network(plan))
