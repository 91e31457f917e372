"""Search for settings with KerasTuner: distinct points, resumed after a kill, several workers.

Loaded when first used: KerasTuner takes seconds to import.
"""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "DistinctBayesianOracle": "segkit.search.oracles",
    "DistinctRandomOracle": "segkit.search.oracles",
    "HalvingOracle": "segkit.search.oracles",
    "LeasedTrials": "segkit.search.oracles",
    "SearchTrial": "segkit.search.trials_table",
    "search": "segkit.search.tuner",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
