"""The methods of the paper side by side: every one trained with several seeds, the table, and a page of pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recipes.enhancement.cells import job_of, run_cell
from recipes.enhancement.methods import METHODS
from segkit.experiments.job import Job
from segkit.experiments.plan import CELLS_NAME
from segkit.experiments.provenance import command_line, versions
from segkit.experiments.tile_scores import STATISTICS
from segkit.report.label_overlay import label_overlay
from segkit.report.overlay import Overlay
from segkit.report.page import Section, escape, table
from segkit.report.sections import magnitude_curves, overlays, validation_curves
from segkit.report.write_report import write_report
from segkit.targets.foreground import UNKNOWN
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")
COMPARISON_NAME = "comparison.json"

Cells = Mapping[str, list[dict[str, Any]]]
"""The cells of each method, one a seed."""


def compare(job: Job, methods: Sequence[str], seeds: Sequence[int]) -> None:
    """Train every method with every seed, and write table and report after each round of seeds.

    Args:
        job: Data, settings and folder; its method does not count.
        methods: Names of the methods.
        seeds: Seeds of weights, order and augmentation.
    """
    cells: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for seed in seeds:
        for method in methods:
            _LOG.info("comparison: %s, seed %d", METHODS[method].title, seed)
            folder = job.folder / CELLS_NAME / f"{method}-{seed}"
            cells[method].append(run_cell(job_of(job, folder, seed=seed, method=method)))
        _write(job, cells)
    for line in comparison_table(cells, job.plan.task.class_names).splitlines():
        _LOG.info("%s", line)


def summarise(cells: Cells, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return mean and standard deviation over the seeds of every score.

    Returns:
        A dict each method, slices (``"test"``, else ``"validation"``) and statistics of normalisation:
        ``{"method", "tiles", "statistics", "seeds", "mean_iou": [mean, deviation], "iou": {class: [...]}}``; the
        deviation of a single seed is ``None``.
    """
    rows = []
    for statistics in STATISTICS:
        for method, found in cells.items():
            use = "test" if all("test" in cell["tiles"] for cell in found) else "validation"
            scores = [cell["tiles"][use][statistics] for cell in found]
            rows.append(
                {
                    "method": method,
                    "tiles": use,
                    "statistics": statistics,
                    "seeds": len(scores),
                    "mean_iou": _spread([score["mean_iou"] for score in scores]),
                    "iou": {name: _spread([score["iou"][name] for score in scores]) for name in classes},
                }
            )
    return rows


def _spread(values: Sequence[float | None]) -> list[float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return [None, None]
    return [float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None]


def comparison_table(cells: Cells, classes: Sequence[str]) -> str:
    """Return the scores as a Markdown table, in per cent, mean and standard deviation over the seeds."""
    head, *rows = _table_rows(cells, classes)
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)])


def _table_rows(cells: Cells, classes: Sequence[str]) -> list[list[str]]:
    """Return the heading and the lines of the table."""
    rows = [["method", "statistics", "seeds", *classes, "mIoU"]]
    for row in summarise(cells, classes):
        shown = [_shown(row["iou"][name]) for name in classes] + [_shown(row["mean_iou"])]
        rows.append([METHODS[row["method"]].title, STATISTICS[row["statistics"]], str(row["seeds"]), *shown])
    return rows


def _shown(spread: Sequence[float | None]) -> str:
    mean, deviation = spread
    if mean is None:
        return "-"
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" \N{PLUS-MINUS SIGN} {100 * deviation:.2f}")


def _write(job: Job, cells: Cells) -> None:
    """Write ``comparison.json``, ``comparison.md`` and ``report.html``."""
    plan, folder = job.plan, job.folder
    comparison = {
        "classes": list(plan.task.class_names),
        "summary": summarise(cells, plan.task.class_names),
        "cells": {
            method: [
                {
                    "seed": cell["plan"]["training"]["seed"],
                    "epochs": cell["epochs"],
                    "best_epoch": cell["best_epoch"],
                    "seconds": cell["seconds"],
                    "tiles": cell["tiles"],
                }
                for cell in found
            ]
            for method, found in cells.items()
        },
    }
    for name, text in (
        (COMPARISON_NAME, json.dumps(comparison, indent=1)),
        ("comparison.md", comparison_table(cells, plan.task.class_names)),
    ):
        with whole_file(folder / name, overwrite=True) as unfinished:
            unfinished.write_text(text + "\n")
    seeds = [cell["plan"]["training"]["seed"] for cell in next(iter(cells.values()))]
    first = {METHODS[method].title: found[0] for method, found in cells.items()}
    tested = comparison["summary"][0]["tiles"]
    write_report(
        folder / "report.html",
        title=f"{plan.recipe}: {plan.structure}, methods compared",
        notices=[
            *plan.notices,
            f"Scores of the {tested} tiles, in per cent: mean and standard deviation over the seeds. Every checkpoint "
            "is that of the best validation mIoU.",
        ],
        plan={name: value for name, value in plan.to_dict().items() if name != "notices"},
        extra=[
            Section("Methods", _html_table(cells, plan.task.class_names)),
            validation_curves({title: cell["history"] for title, cell in first.items()}, "Training, first seed"),
            magnitude_curves({title: cell["magnitudes"] for title, cell in first.items()}),
            overlays(panels(job, list(cells), seeds), "Test images" if tested == "test" else "Validation images"),
        ],
        versions=versions(),
        seconds=sum(cell["seconds"] for found in cells.values() for cell in found),
        command=command_line(),
        overwrite=True,
    )
    _LOG.info("report: %s", folder / "report.html")


def _html_table(cells: Cells, classes: Sequence[str]) -> str:
    head, *rows = _table_rows(cells, classes)
    return table(head, [[f"<td>{escape(text)}</td>" for text in row] for row in rows], kind="numbers")


def panels(job: Job, methods: Sequence[str], seeds: Sequence[int], count: int = 2) -> list[Overlay]:
    """Draw image, truth and the result of each method, side by side, for some held-out tiles.

    The models are those of the first seed that all methods have one of, as far as they are there at all.
    """
    from segkit.models.files import RUN_MODEL_NAME, load_model

    sampler = job.prepared.test or job.prepared.validation
    found = {
        seed: {
            METHODS[method].title: path
            for method in methods
            if (path := job.folder / CELLS_NAME / f"{method}-{seed}" / RUN_MODEL_NAME).exists()
        }
        for seed in seeds
    }
    seed = max(found, key=lambda seed: len(found[seed]))  # the first of the fullest
    models = {title: load_model(path) for title, path in found[seed].items()}
    drawn = []
    for row in telling_patches(sampler, len(job.plan.task.class_names), count):
        volume, z, y, x = sampler.table.rows[row].tolist()
        step, place = divmod(row, sampler.batch_size)
        images, targets = sampler.batch(step)
        predictions = {
            title: np.asarray(model.predict_on_batch(images[place : place + 1])["logits"])[0].argmax(-1)
            for title, model in models.items()
        }
        if predictions:
            annotated = targets[place, ..., 1] > 0
            drawn.append(
                label_overlay(
                    images[place, ..., 0],
                    np.where(annotated, targets[place, ..., 0], UNKNOWN).astype(np.uint8),
                    predictions,
                    job.plan.task.class_names,
                    caption=f"Image {z}, tile at y = {y}, x = {x}; networks of seed {seed}",
                    ignore_value=UNKNOWN,
                    voxel_size_nm=job.volumes[volume].tomogram.voxel_size_nm,
                )
            )
    return drawn


def telling_patches(sampler: Any, num_classes: int, count: int) -> list[int]:
    """Return the rows of the patches with most classes, and of those with most of the rarest ones."""
    shares = []
    for step in range(sampler.steps_per_epoch):
        _, targets = sampler.batch(step)
        for target in targets:
            shares.append(np.bincount(target[..., 0].astype(int).ravel(), minlength=num_classes))
    counts = np.asarray(shares)
    rarity = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.lexsort((-rarity.sum(axis=1), -(counts > 0).sum(axis=1)))
    return order[:count].tolist()
