"""Fitting, callbacks, and resuming.

Callbacks are loaded when they are first used: a plan is read without waiting for Keras.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "CollapseAlarm": "segkit.tasks.collapse_alarm",
    "DecayOnPlateau": "segkit.training.decay_on_plateau",
    "RecordMagnitudes": "segkit.training.record_magnitudes",
    "RedrawEnhanced": "segkit.training.redraw_enhanced",
    "ReestimateStatistics": "segkit.training.reestimate_statistics",
    "TrainingPlan": "segkit.training.plan",
    "reestimate_batch_statistics": "segkit.training.reestimate_statistics",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'segkit.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
