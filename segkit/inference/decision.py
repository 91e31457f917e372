"""What is kept of the maps of one or several models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segkit.inference.engines import BlockResult
from segkit.inference.label_merge import merge_labels
from segkit.tasks.task import Task


def decided(maps: Sequence[np.ndarray], tasks: Sequence[Task], *, probability: bool = False) -> BlockResult:
    """Return what is kept of a slice or block, with the voxels of each label and those that several models claim.

    Args:
        maps: Maps of each model, ``(..., maps)``.
        tasks: Task of each, with the threshold that counts; several are merged into labels. One task for several maps:
            their mean is decided on.
        probability: Keep the probability of the only task instead of its result.
    """
    if len(tasks) > 1:
        claims = [task.claim(found) for found, task in zip(maps, tasks, strict=True)]
        kept, overlap = merge_labels(claims, [0.0] * len(tasks))
        voxels = np.bincount(kept.ravel(), minlength=len(tasks) + 1)[1:]
        return BlockResult(kept, {"voxels": voxels, "overlap": overlap})
    (task,) = tasks
    found = maps[0] if len(maps) == 1 else np.mean(maps, axis=0, dtype=np.float32)
    decision = np.asarray(task.decide(found))
    kept = found[..., task.probability_map] if probability else task.keep(found, decision)
    return BlockResult(kept, {"voxels": task.count_labels(decision), "overlap": 0})
