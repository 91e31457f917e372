"""A job with another network, seed or training on the same data and pipeline."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from segkit.experiments.job import Job, Network
from segkit.experiments.plan import RunPlan
from segkit.tasks.task import Task


def varied(
    job: Job,
    network: Callable[[RunPlan], Network],
    folder: pathlib.Path,
    *,
    seed: int | None = None,
    epochs: int | None = None,
    task: Task | None = None,
    **model: Any,
) -> Job:
    """Return a job on the same data and pipeline with another network.

    Args:
        job: The job to vary.
        network: Returns the network of a plan.
        folder: Folder of the new one.
        seed: Seed of weights, order and augmentation; the same if not given.
        epochs: Epochs at most; as many if not given.
        task: What is learnt, where it follows from the network's settings; the same if not given.
        **model: Changes of the plan's ``model``.
    """
    training = job.plan.training
    training = dataclasses.replace(
        training,
        seed=training.seed if seed is None else seed,
        epochs=training.epochs if epochs is None else epochs,
    )
    settings = {**job.plan.model, **model}
    plan = dataclasses.replace(job.plan, model=settings, training=training, task=task or job.plan.task)
    prepared = dataclasses.replace(job.prepared, training=job.prepared.training.with_seed(training.seed))
    return dataclasses.replace(job, plan=plan, folder=folder, prepared=prepared, network=network(plan))
