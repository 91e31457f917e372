"""The comparison of the paper's methods, and the settings that are worth a search."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from segkit.experiments.comparison import Comparison, Findings, Trial
from segkit.experiments.enhancement_methods import METHODS, method_of, task_of
from segkit.experiments.folder import CELLS_NAME
from segkit.experiments.modes import Search
from segkit.experiments.plan import RunPlan

if TYPE_CHECKING:
    import keras_tuner

    from segkit.experiments.job import Job
    from segkit.report.page import Section
    from segkit.training.resumable import Resumable

_GAINS = (1.0, 1000.0)  # the paper gives no range
_SHARES = (0.01, 0.99)
_TITLES = {method.name: method.title for method in METHODS.values()}


def vary(job: Job) -> Callable[[str, int], Job]:
    """Return the job of each method and seed, on one pipeline."""
    return lambda name, seed: job_of(job, job.folder / CELLS_NAME / f"{name}-{seed}", seed=seed, method=name)


def job_of(job: Job, folder: pathlib.Path, *, seed: int | None = None, epochs: int | None = None, **model: Any) -> Job:
    """Return a job on the same data and pipeline with another network, and the task that it takes.

    Args:
        job: The job to vary.
        folder: Folder of the new one.
        seed: Seed of weights, order and augmentation; the same if not given.
        epochs: Epochs at most; as many if not given.
        **model: Changes of the plan's ``model``.
    """
    from recipes.enhancement.network import network
    from segkit.experiments.variation import varied

    task = task_of(job.plan.task.class_names, {**job.plan.model, **model})
    return varied(job, network, folder, seed=seed, epochs=epochs, task=task, **model)


def measure(job: Job, record: Resumable) -> dict[str, Any]:
    """Return the scores of a method tile by tile, and how large its features were."""
    from segkit.experiments.class_comparison import measure_classes

    return measure_classes(job, record)


def findings(job: Job, trials: Sequence[Trial]) -> Findings:
    """Return the IoU of every class and method, and pictures of the first seed."""
    from segkit.experiments.class_comparison import class_rows, class_summary, class_table

    classes, rows = job.plan.task.class_names, class_rows(trials)
    methods = dict.fromkeys(trial.variant for trial in trials)
    kept = ("epochs", "best_epoch", "seconds", "tiles")
    cells = {
        method: [
            {"seed": trial.seed, **{name: trial.result[name] for name in kept}}
            for trial in trials
            if trial.variant == method
        ]
        for method in methods
    }
    tested = rows[0]["tiles"]
    return Findings(
        title=job.plan.title("methods compared"),
        rows=rows,
        table=class_table(rows, classes, _TITLES),
        entries={"classes": list(classes), "summary": class_summary(rows, classes), "cells": cells},
        notices=[
            f"Scores of the {tested} tiles: mean and standard deviation over the seeds. Every checkpoint "
            "is that of the best validation mIoU."
        ],
        sections=lambda: _sections(job, trials, tested),
    )


def _sections(job: Job, trials: Sequence[Trial], tested: str) -> list[Section]:
    from segkit.experiments.class_comparison import class_panels
    from segkit.report.sections import magnitude_curves, overlays, validation_curves

    # Reversed, so that the first seed of a variant replaces the later ones.
    first = {_TITLES[trial.variant]: trial.result for trial in reversed(trials)}
    first = {title: first[title] for title in _TITLES.values() if title in first}
    return [
        validation_curves(
            {title: result["history"] for title, result in first.items()},
            "Training, first seed",
            monitor=job.plan.task.monitor,
        ),
        magnitude_curves({title: result["magnitudes"] for title, result in first.items()}),
        overlays(class_panels(job, trials, _TITLES), "Test images" if tested == "test" else "Validation images"),
    ]


COMPARISON = Comparison(
    kind="compare",
    noun="methods",
    file_name="comparison",
    variants=tuple(METHODS),
    help="train every method and write the table",
    vary=vary,
    findings=findings,
)


def space(plan: RunPlan) -> keras_tuner.HyperParameters:
    """Return the space of what a method's search is for."""
    import keras_tuner

    found = keras_tuner.HyperParameters()
    if "gain" in method_of(plan.model).searched:
        found.Int("num_enhanced", 1, plan.model["filters"][-1])
        found.Float("gain", *_GAINS, sampling="log")
    else:
        found.Float("supervision", *_SHARES)
    return found


SEARCH = Search(
    help="find B and X in N trials (50, as in the paper), or with --method supervision its share (15)",
    searched=lambda plan: method_of(plan.model).searched,
    space=space,
    vary=job_of,
    trials=lambda plan: 50 if method_of(plan.model).enhance else 15,
)
