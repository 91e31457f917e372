"""Pictures of scored label volumes of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from segkit.report.choose_slices import choose_slices
from segkit.report.label_overlay import label_overlay
from segkit.report.overlay import Overlay
from segkit.report.short_name import short_name
from segkit.volumes.volume import Volume

if TYPE_CHECKING:
    from segkit.data.sources import LabeledVolume
    from segkit.evaluation.evaluate_classes import ClassEvaluation

    Scored = tuple[LabeledVolume, Volume, ClassEvaluation]
    """A volume, what was predicted for it, and its scores."""


def label_pictures(scored: Sequence[Scored], class_names: Sequence[str], ignore_value: int | None) -> list[Overlay]:
    """Draw the best, the median and the worst of the scored slices of every volume.

    Args:
        scored: Volumes, their predicted labels, and the scores of both.
        class_names: Names of all classes in the order of their labels.
        ignore_value: Value of unannotated voxels.
    """
    of = [f" of {short_name(volume.tomogram)}" if len(scored) > 1 else "" for volume, _, _ in scored]
    return [
        label_overlay(
            volume.tomogram.array[choice.z],
            np.asarray(volume.mask.array[choice.z]),
            {"Prediction": np.asarray(labels.array[choice.z])},
            class_names,
            caption=f"{choice.role.capitalize()} slice{of[number]}, z = {choice.z}: mean IoU {choice.score:.3f}",
            ignore_value=ignore_value,
            voxel_size_nm=volume.tomogram.voxel_size_nm,
        )
        for number, (volume, labels, evaluation) in enumerate(scored)
        for choice in choose_slices(evaluation.to_dict(), "mean_iou")
    ]
