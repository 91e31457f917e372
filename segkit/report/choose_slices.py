"""Which slices of an evaluation are worth a look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class ChosenSlice(NamedTuple):
    """A slice and why it was chosen."""

    role: str
    z: int
    score: float


def choose_slices(evaluation: Mapping[str, Any], score: str = "foreground_iou") -> list[ChosenSlice]:
    """Return the best, the median and the worst slice, each once.

    Only slices whose reference has foreground count: on others the score says nothing, or is 0 for one false
    pixel. Of equal slices the one of lower z ranks first. Of an even number, the median is the lower of the
    middle two.

    Args:
        evaluation: ``{"slices": [{"z": 3, "foreground_iou": 0.8, ...}, ...]}``. The reference has foreground
            where ``true_positives + false_negatives`` is above 0, or a ``confusion`` of several classes counts any
            pixel; without these counts, where ``recall`` is a number.
        score: Name of the score to rank by, higher is better.

    Returns:
        Three slices; with two to choose from the best and the worst, with one the ``"only"`` one, or none.
    """
    slices = [entry for entry in evaluation.get("slices", ()) if _has_reference(entry) and _is_number(entry.get(score))]
    ranked = sorted(slices, key=lambda entry: (-entry[score], entry["z"]))
    if len(ranked) < 2:
        roles = {"only": 0} if ranked else {}
    elif len(ranked) == 2:
        roles = {"best": 0, "worst": 1}
    else:
        roles = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    return [ChosenSlice(role, ranked[i]["z"], float(ranked[i][score])) for role, i in roles.items()]


def _has_reference(entry: Mapping[str, Any]) -> bool:
    counts = [entry.get(name) for name in ("true_positives", "false_negatives")]
    if None not in counts:
        return sum(counts) > 0
    if "confusion" in entry:
        return any(map(any, entry["confusion"]))
    return _is_number(entry.get("recall"))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
