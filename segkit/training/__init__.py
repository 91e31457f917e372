"""Fitting, callbacks, and resuming.

Callbacks are loaded when they are first used: a plan is read without waiting for Keras. A function that has the name of
its module is imported from there: ``from segkit.training.fit import fit``.
"""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "CollapseAlarm": "segkit.tasks.collapse_alarm",
    "DecayOnPlateau": "segkit.training.decay_on_plateau",
    "PatchCounter": "segkit.training.patch_counter",
    "Prepared": "segkit.training.preparation",
    "RecordMagnitudes": "segkit.training.record_magnitudes",
    "RedrawEnhanced": "segkit.training.redraw_enhanced",
    "ReestimateStatistics": "segkit.training.reestimate_statistics",
    "TrainingPlan": "segkit.training.plan",
    "prepare": "segkit.training.preparation",
    "reestimate_batch_statistics": "segkit.training.reestimate_statistics",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
