"""Plans as version 0.1 wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segkit.tasks.old_entries import preprocessing_of_entries, task_of_entries

_ENTRIES = ("classes", "coloring", "windows", "instances")


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's entries in today's layout.

    Args:
        values: Entries of a plan, of any version; an unknown entry stays, and is refused where the plan is built.
    """
    if "task" in values or "preprocessing" in values or not set(values) & set(_ENTRIES):
        return dict(values)
    task = task_of_entries(values, loss="dice" if values.get("instances") else "bce_jaccard")
    model = values.get("model") or {}
    if task["kind"] == "classes" and model.get("method") == "supervision":
        task["supervision"] = model["supervision"]
    kept = {name: value for name, value in values.items() if name not in _ENTRIES}
    return {**kept, "task": task, "preprocessing": preprocessing_of_entries(values)}
