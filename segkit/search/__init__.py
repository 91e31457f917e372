"""Search for settings with KerasTuner: distinct points, resumed after a kill, several workers.

Loaded when first used: KerasTuner takes seconds to import.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "DistinctBayesianOracle": "segkit.search.oracles",
    "DistinctRandomOracle": "segkit.search.oracles",
    "HalvingOracle": "segkit.search.oracles",
    "LeasedTrials": "segkit.search.oracles",
    "SearchTrial": "segkit.search.tuner",
    "search": "segkit.search.tuner",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'segkit.search' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
