"""What a run of cells shows besides its scores: Otsu's threshold on the same slices, and how slices are coloured."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from segkit.evaluation.evaluate_instances import evaluate_instances
from segkit.experiments.job import FinishedRun
from segkit.instances.otsu import otsu_instances
from segkit.models.files import load_model
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.report.coloring_steps import coloring_steps
from segkit.report.page import Section
from segkit.report.sections import overlays, score_rows
from segkit.volumes.volume import Volume

_COMPARED = ("seg", "ap_50", "mean_ap", "mean_iou", "foreground_iou", "objects", "found")


class OtsuBaseline:
    """Score what Otsu's threshold makes of the same slices, its objects separated as the network's are."""

    def scores(self, run: FinishedRun) -> dict[str, Any]:
        """Count the parameters of the network, and score the threshold.

        Returns:
            ``{"num_parameters": n, "otsu": scores, "slice_by_slice": whether objects are cross-sections}``.
        """
        settings, found = run.job.plan.task.instances, []
        ignore_value = run.job.plan.training.ignore_value
        for volume, slices in run.held_out:
            stack = np.stack([np.asarray(volume.tomogram.array[z]) for z in range(volume.tomogram.shape[0])])
            labels = otsu_instances(stack, settings, voxel_size=pixel_units(volume.tomogram))
            shared = {"slices": slices, "ignore_value": ignore_value}
            found.append(evaluate_instances(Volume(array=labels), volume.mask, **shared))
        otsu = functools.reduce(operator.add, found)
        return {
            "num_parameters": load_model(run.record.folder).count_params(),
            "otsu": otsu.total(),
            "slice_by_slice": any(part.z is not None for part in otsu.parts),
        }

    def sections(self, run: FinishedRun, scores: dict[str, Any]) -> list[Section]:
        """Show both in a table."""
        rows = [
            (name, {score: entry[score] for score in _COMPARED})
            for name, entry in (("Network", scores["total"]), ("Otsu's threshold, separated alike", scores["otsu"]))
        ]
        return [Section("Beside a threshold", score_rows(rows))]


def pixel_units(volume: Volume) -> list[float]:
    """Return the extent of a voxel along ``(z, y, x)`` in pixels along x; ones where the voxel size is unknown."""
    sizes = volume.voxel_size_nm or (1.0, 1.0, 1.0)
    return [size / sizes[2] for size in sizes]


class ColoringSteps:
    """Show the way from a slice and its neighbours to colours, where slices are pseudocoloured."""

    def scores(self, run: FinishedRun) -> dict[str, Any]:
        """Return no scores."""
        return {}

    def sections(self, run: FinishedRun, scores: dict[str, Any]) -> list[Section]:
        """Show the steps for the middle slice of the first volume that is scored."""
        preprocessing = run.job.plan.preprocessing
        coloring = preprocessing.coloring if isinstance(preprocessing, ColorSlices) else None
        if not isinstance(coloring, Pseudocoloring):
            return []
        volume = run.held_out[0][0].tomogram
        steps = coloring_steps(volume.array, volume.shape[0] // 2, coloring)
        return [overlays([steps], "How a slice gets its colours")]
