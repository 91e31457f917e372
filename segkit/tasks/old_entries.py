"""What plans and model cards of version 0.1 said of a task: by which of several optional entries stood there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def task_of_entries(values: Mapping[str, Any], *, loss: str, threshold: float | None = None) -> dict[str, Any]:
    """Return the task that the entries ``classes`` and ``instances`` stand for, in cards and plans alike.

    Nothing is checked here: the entries become settings, which are checked where the task is built.

    Args:
        values: Entries of a card or a plan.
        loss: Loss of foreground, which neither of them named.
        threshold: Threshold, which cards held beside ``instances``; that of ``instances``, or 0.5, by default.
    """
    decided = {} if threshold is None else {"threshold": threshold}
    if instances := values.get("instances"):
        if isinstance(instances, Mapping):
            instances = {**instances, **decided}
        method = instances.get("method") if isinstance(instances, Mapping) else None
        return {"kind": "centers" if method == "centers" else "cells", "loss": loss, "instances": instances}
    if classes := values.get("classes"):
        return {"kind": "classes", "class_names": classes}
    return {"kind": "foreground", "loss": loss, **decided}


def preprocessing_of_entries(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing that the entries ``coloring`` and ``windows``, or ``mean`` and ``std``, stand for."""
    if values.get("coloring"):
        return {"kind": "coloring", "coloring": values["coloring"], "windows": values.get("windows")}
    return {"kind": "standardize", "mean": values.get("mean"), "std": values.get("std")}
