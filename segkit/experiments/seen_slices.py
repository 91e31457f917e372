"""What of a reference a run has learnt from, in whose folder a result lies: scores on it are too good."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from segkit.data.sources import Source
from segkit.experiments.plan import PLAN_NAME, RunPlan, read_plan
from segkit.volumes.hdf5 import split_dataset


def seen_frames(result: str | os.PathLike[str]) -> int:
    """Return how many frames of a sequence the run has learnt from, in whose folder its result is.

    Args:
        result: Folder of the result, such as ``runs/mda231/01_RES``; 0 where it is in no run's folder.

    Raises:
        InputError: If the plan of the run cannot be read.
    """
    result = pathlib.Path(result)
    sequence, plan = result.name.removesuffix("_RES"), _plan_beside(result)
    seen = [source.tomogram for source in plan.data if source.train or source.validation] if plan else []
    return len({tomogram for tomogram in seen if pathlib.Path(tomogram).parent.name == sequence})


def seen_slices(
    prediction: str | os.PathLike[str], reference: str | os.PathLike[str], slices: Sequence[int], count: int
) -> list[int]:
    """Return which slices of a reference the run has learnt from, in whose folder a prediction is.

    Args:
        prediction: File or folder of the prediction, such as ``runs/mito/mask.mrc``; no slices where it is in no run's
            folder.
        reference: The annotation, one of those that the run was given.
        slices: The slices in question.
        count: Number of slices of the reference.

    Raises:
        InputError: If the plan of the run cannot be read, or names slices that the reference does not have.
    """
    plan = _plan_beside(split_dataset(prediction)[0])
    splits = [source.split(count) for source in plan.data if _is_annotation(source, reference)] if plan else []
    seen = {z for split in splits for z in (*split.train, *split.validation)}
    return [z for z in slices if z in seen]


def _plan_beside(path: pathlib.Path) -> RunPlan | None:
    beside = path.parent / PLAN_NAME
    return read_plan(beside) if beside.exists() else None


def _is_annotation(source: Source, reference: str | os.PathLike[str]) -> bool:
    return os.path.realpath(source.mask) == os.path.realpath(reference)
