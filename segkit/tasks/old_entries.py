"""What plans and model cards of version 0.1 said of a task: by which of several optional entries stood there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def task_of_entries(values: Mapping[str, Any], *, loss: str, threshold: float = 0.5) -> dict[str, Any]:
    """Return the task that the entries ``classes`` and ``instances`` stand for, in cards and plans alike.

    Args:
        values: Entries of a card or a plan.
        loss: Loss of foreground, which neither of them named.
        threshold: Threshold of a mask.
    """
    if instances := values.get("instances"):
        kind = "centers" if instances.get("method") == "centers" else "cells"
        return {"kind": kind, "loss": loss, "instances": dict(instances)}
    if classes := values.get("classes"):
        return {"kind": "classes", "class_names": list(classes)}
    return {"kind": "foreground", "loss": loss, "threshold": threshold}


def preprocessing_of_entries(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preprocessing that the entries ``coloring`` and ``windows``, or ``mean`` and ``std``, stand for."""
    if values.get("coloring"):
        return {"kind": "coloring", "coloring": values["coloring"], "windows": values.get("windows")}
    return {"kind": "standardize", "mean": values.get("mean"), "std": values.get("std")}
