"""Score an array, a volume or a file against its annotation."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Sequence

from segkit.arguments import whole_number
from segkit.errors import InputError
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.evaluation.doubts_about import doubts_about
from segkit.evaluation.evaluation_like import EvaluationLike
from segkit.experiments.seen_slices import seen_slices
from segkit.notebook.as_volume import VolumeLike, as_volume
from segkit.tasks.task import TASKS, Task
from segkit.volumes.tell_warnings import tell_warnings

_LOG = logging.getLogger(__name__)


def evaluate(
    prediction: VolumeLike,
    reference: VolumeLike,
    *,
    task: Task | str = "foreground",
    slices: Sequence[int] | None = None,
    ignore_value: int | None = None,
) -> EvaluationLike:
    """Return the scores of a prediction, and log what looks wrong about the two volumes, as ``segkit evaluate`` does.

    Args:
        prediction: What was predicted: a mask, labels, or ids; an array ``(z, y, x)`` or ``(y, x)``, a ``Volume``, or a
            file.
        reference: The annotation, of the same shape.
        task: ``"foreground"`` for a mask (IoU, Dice, precision, recall), ``"classes"`` for labels 0, 1, 2, ... (IoU of
            each class, confusion), ``"cells"`` for ids of objects (SEG, average precision), or another registered kind;
            or a task, such as that of a model's card.
        slices: Slices that are scored; all by default. Score only slices that were not trained on.
        ignore_value: Value of unannotated voxels in the reference.

    Returns:
        An evaluation: ``print(evaluation.to_table())`` shows it, ``evaluation.to_dict()`` holds every score under
        ``"total"`` and, by slice, under ``"slices"``.

    Raises:
        ValueError: If an array has other axes, ``slices`` are not indices, or ``ignore_value`` is no whole number.
        InputError: If a file cannot be read, shapes differ, a volume has other axes than (z, y, x), no slice is
            chosen, one is outside of the reference or named twice, the kind is unknown, or values are not those of the
            task.

    Example:
        >>> import numpy as np
        >>> truth = np.zeros((1, 4, 4), int)
        >>> truth[0, :2] = 1
        >>> evaluate(truth, truth).to_dict()["total"]["foreground_iou"]
        1.0
    """
    found, truth = as_volume(prediction), as_volume(reference)
    if ignore_value is not None:
        whole_number("ignore_value", ignore_value)
    if slices is not None:  # of a task of one's own, too
        slices = chosen_slices(slices, truth.shape[0])
    for volume in (found, truth):
        tell_warnings(volume)
    if isinstance(task, str):
        task = TASKS.find(task).of_reference(truth, ignore_value=ignore_value)
    evaluation = task.evaluate(found, truth, slices=slices, ignore_value=ignore_value)
    for volume, line in doubts_about(task, evaluation, found, truth, slices=slices, ignore_value=ignore_value):
        _LOG.warning("warning: %s: %s", volume.name, line)
    _tell_seen(prediction, reference, slices, truth.shape[0])
    return evaluation


def _tell_seen(prediction: VolumeLike, reference: VolumeLike, slices: Sequence[int] | None, depth: int) -> None:
    """Say where a run has learnt from the slices that are scored, if both volumes were given as paths."""
    if not all(isinstance(given, (str, os.PathLike)) for given in (prediction, reference)):
        return
    try:
        seen = len(seen_slices(prediction, reference, range(depth) if slices is None else slices, depth))
    except InputError as fault:  # scores do not need the plan
        _LOG.info("note: whether scored slices were trained on is unknown: %s", fault)
        return
    if seen:
        _LOG.warning(
            "note: %d scored slices were trained on or chose the checkpoint of %s; score slices that were not",
            *(seen, pathlib.Path(prediction).parent),
        )
