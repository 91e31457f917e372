"""Scores of a segmentation into several classes, from its confusion counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def count_classes(
    prediction: np.ndarray, reference: np.ndarray, num_classes: int, kept: np.ndarray | None = None
) -> np.ndarray:
    """Count the voxels of every true and predicted class; counts add up over slices.

    Args:
        prediction: Predicted classes, whole numbers in ``[0, num_classes)``, any shape.
        reference: True classes, the same shape.
        num_classes: Number of classes.
        kept: True where the voxel counts at all; everywhere by default.

    Returns:
        int64, shape ``(num_classes, num_classes)``: true class, predicted class.

    Raises:
        ValueError: If a class is out of range.
    """
    if kept is not None:
        prediction, reference = prediction[kept], reference[kept]
    pairs = [np.ravel(classes).astype(np.int64) for classes in (reference, prediction)]
    for name, classes in zip(("reference", "prediction"), pairs, strict=True):
        if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(f"`{name}` must hold classes below {num_classes}. Received: {classes.max()}")
    # One number per (true, predicted) pair, which is its cell in the table, row by row.
    cells = pairs[0] * num_classes + pairs[1]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_scores(confusion: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the scores of a confusion.

    Args:
        confusion: Counts as ``count_classes`` gives them.
        class_names: Name of every class.

    Returns:
        ``mean_iou`` (over the classes that either side has), ``pixel_accuracy``, and ``iou``, a dict by class; each
        in [0, 1], or ``None`` where it is 0 / 0.

    Example:
        >>> class_scores(np.array([[6, 1], [1, 2]]), ["background", "cell"])["iou"]
        {'background': 0.75, 'cell': 0.5}
    """
    hits = np.diagonal(confusion)
    unions = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    iou = {
        name: float(hit / union) if union else None for name, hit, union in zip(class_names, hits, unions, strict=True)
    }
    occurring = [value for value in iou.values() if value is not None]
    total = confusion.sum()
    return {
        "mean_iou": sum(occurring) / len(occurring) if occurring else None,
        "pixel_accuracy": float(hits.sum() / total) if total else None,
        "iou": iou,
    }
