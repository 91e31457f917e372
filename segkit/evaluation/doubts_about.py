"""What looks wrong about two volumes that were scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segkit.evaluation.misfit import holds, misfit, unpainted
from segkit.volumes.physical_size import other_voxels
from segkit.volumes.slice_numbers import other_numbers
from segkit.volumes.volume import Volume


def doubts_about(
    task: Any | None,
    evaluation: Any,
    prediction: Volume,
    reference: Volume,
    *,
    slices: Sequence[int] | None = None,
    ignore_value: int | None = None,
    is_flipped: bool = False,
    compares_labels: bool = False,
    compares_sizes: bool = True,
) -> list[tuple[Volume, str]]:
    """Return lines about voxel sizes, numbers of slices, orientation, slices that nobody painted, and the task's own.

    Args:
        task: The task that scored them; ``None`` for a probability at several thresholds.
        evaluation: Their scores.
        prediction: What was scored.
        reference: What it was compared with.
        slices: The slices that were scored; all by default.
        ignore_value: Value of unannotated voxels in the reference.
        is_flipped: The rows of the reference were reversed when it was opened.
        compares_labels: Single labels were compared: all others are no foreground.
        compares_sizes: Tell of voxel sizes that differ.

    Returns:
        Which of the two is meant, and a line about it without its name.
    """
    lines = []
    if compares_sizes and (differ := other_voxels(prediction, reference, "the reference")):
        lines.append((prediction, f"{differ}; if both are of one volume, correct the size that is wrong"))
    if differ := other_numbers(prediction, reference, "the reference"):
        lines.append((prediction, differ))
    # Of a probability nearly everything is above 0.
    if task is not None and not compares_labels:
        if fault := misfit(prediction, reference, ignore_value=ignore_value, is_flipped=is_flipped):
            lines.append((prediction, fault))
        if doubt := unpainted(prediction, reference, slices=slices, ignore_value=ignore_value):
            lines.append((reference, doubt))
    if ignore_value is not None and not holds(reference, ignore_value):
        lines.append((reference, f"no voxel has the ignore value {ignore_value}"))
    if task is not None:
        lines += task.doubts(evaluation, prediction, reference, slices=slices, ignore_value=ignore_value)
    return lines
