"""Comparisons of networks of several classes: their IoU with both statistics of normalisation, and what they draw."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segkit.experiments.comparison import Trial, tidy_rows
from segkit.experiments.folder import CELLS_NAME
from segkit.experiments.job import Job
from segkit.experiments.tables import Column, Row, Table, mean_and_deviation, summary_table
from segkit.experiments.tile_scores import STATISTICS, tile_scores
from segkit.experiments.trials import rounded
from segkit.model_path import RUN_MODEL_NAME
from segkit.models.files import load_model
from segkit.report.label_overlay import label_overlay
from segkit.report.overlay import Overlay
from segkit.targets.foreground import UNKNOWN
from segkit.training.record_magnitudes import read_magnitudes
from segkit.training.resumable import Resumable


def measure_classes(job: Job, record: Resumable) -> dict[str, Any]:
    """Return what is kept of a trial: ``tiles``, as ``tile_scores`` finds them, and ``magnitudes`` of features."""
    return {
        **tile_scores(record, job.prepared, job.plan.task.class_names),
        "magnitudes": [rounded(row) for row in read_magnitudes(job.folder)],
    }


def class_rows(trials: Sequence[Trial]) -> list[Row]:
    """Return the rows of trials that ``measure_classes`` has measured.

    Returns:
        Rows with ``"tiles"`` (``"test"``, or ``"validation"`` where a trial has no test) and ``"statistics"`` of
        normalisation, for the kinds that a trial has been measured with; their scores are ``"mean_iou"`` and
        ``"iou:<class>"``. All rows of one kind of statistics come before those of the next.
    """
    results = [trial.result for trial in trials if trial.result is not None]
    use = "test" if all("test" in result["tiles"] for result in results) else "validation"
    rows = []
    # `scores` has the statistics of its round as a default; a closure would see those of the last round.
    for statistics in STATISTICS:

        def scores(result: Mapping[str, Any], statistics: str = statistics) -> list[dict[str, Any]]:
            entry = result["tiles"][use].get(statistics)
            if entry is None:  # the statistics of this network were not re-estimated
                return []
            shared = {"tiles": use, "statistics": statistics}
            by_class = [{**shared, "score": f"iou:{name}", "value": value} for name, value in entry["iou"].items()]
            return [{**shared, "score": "mean_iou", "value": entry["mean_iou"]}, *by_class]

        rows += tidy_rows(trials, scores)
    return rows


def class_table(rows: Sequence[Row], classes: Sequence[str], titles: Mapping[str, str]) -> Table:
    """Return the rows as a table: mean and standard deviation over the seeds.

    Args:
        rows: Rows of ``class_rows``.
        classes: Names of the classes.
        titles: Names of the variants for readers.
    """
    columns = [Column(head=name, score=f"iou:{name}") for name in classes]
    columns.append(Column(head="mIoU", score="mean_iou"))
    index = {"variant": "method", "statistics": "statistics"}
    return summary_table(rows, index, columns, titles={**titles, **STATISTICS})


def class_summary(rows: Sequence[Row], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return mean and standard deviation over the seeds of every score.

    Returns:
        One dict per variant and statistics: ``{"method", "tiles", "statistics", "seeds", "mean_iou": [mean, deviation],
        "iou": {class: [...]}}``; the deviation of a single seed is ``None``.
    """
    groups: dict[tuple[str, str, str], dict[str, list[float | None]]] = {}
    for row in rows:
        scores = groups.setdefault((row["variant"], row["tiles"], row["statistics"]), {})
        scores.setdefault(row["score"], []).append(row["value"])
    return [
        {
            "method": variant,
            "tiles": tiles,
            "statistics": statistics,
            "seeds": len(scores["mean_iou"]),
            "mean_iou": list(mean_and_deviation(scores["mean_iou"])),
            "iou": {name: list(mean_and_deviation(scores.get(f"iou:{name}", []))) for name in classes},
        }
        for (variant, tiles, statistics), scores in groups.items()
    ]


def class_panels(job: Job, trials: Sequence[Trial], titles: Mapping[str, str], count: int = 2) -> list[Overlay]:
    """Draw image, truth and the result of each variant, side by side, for some held-out tiles.

    The models are those of the first seed that all variants have one of, where they exist.

    Args:
        job: The job that was compared.
        trials: Its trials, which are in ``cells/<variant>-<seed>`` of its folder.
        titles: Names of the variants for readers.
        count: Number of tiles.
    """
    sampler = job.prepared.test or job.prepared.validation
    found: dict[int, dict[str, pathlib.Path]] = {}
    for trial in trials:
        path = job.folder / CELLS_NAME / f"{trial.variant}-{trial.seed}" / RUN_MODEL_NAME
        there = found.setdefault(trial.seed, {})
        if path.exists():
            there[titles[trial.variant]] = path
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
    # Pixels per patch and class, (patches, classes).
    counts = np.asarray(shares)
    # The share of a class's pixels that a patch holds: large for patches with rare classes.
    rarity = counts / np.maximum(counts.sum(axis=0), 1)
    # The last key is the first to sort by: number of classes, then rarity.
    order = np.lexsort((-rarity.sum(axis=1), -(counts > 0).sum(axis=1)))
    return order[:count].tolist()
