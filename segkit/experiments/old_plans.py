"""Plans as version 0.1 wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.tasks.old_entries import preprocessing_of_entries, task_of_entries
from segkit.tasks.task import TASKS

_ENTRIES = ("classes", "coloring", "windows", "instances")


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's entries in today's layout.

    Args:
        values: Entries of a plan, of any version; an unknown entry stays, and is refused where the plan is built.
    """
    if "task" in values or "preprocessing" in values or not set(values) & set(_ENTRIES):
        return dict(values)
    task = task_of_entries(values, loss="dice" if values.get("instances") else "bce_jaccard")
    model = values.get("model")
    if task["kind"] == "classes" and isinstance(model, Mapping) and model.get("method") == "supervision":
        task["supervision"] = model.get("supervision")
    kept = {name: value for name, value in values.items() if name not in _ENTRIES}
    return {**kept, "task": task, "preprocessing": preprocessing_of_entries(values)}


def upgraded_trial(values: Mapping[str, Any], expected_task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial of version 0.1 stored of its plan, in today's layout and with settings that came later.

    Args:
        values: Entries of the trial's plan.
        expected_task: Task of the trial that is wanted, as ``Task.learning`` returns it. It is that of coloured slices,
            whose trials did not store theirs: masks of all cells were learnt alike.
    """
    found = upgraded(values)
    task = expected_task if values.get("coloring") else TASKS.from_dict(found["task"]).learning()
    preprocessing = PREPROCESSINGS.to_dict(PREPROCESSINGS.from_dict(found["preprocessing"]))
    return json.loads(json.dumps({**found, "task": task, "preprocessing": preprocessing}))
