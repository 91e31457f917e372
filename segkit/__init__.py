"""Segment cells and organelles in electron tomograms and fluorescence volumes with Keras.

Names are loaded when they are first used, so that ``import segkit`` is fast and loads neither Keras nor TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

_HOMES = {
    "InputError": "segkit.errors",
    "ModelCard": "segkit.models.card",
    "Volume": "segkit.volumes.volume",
    "load_model": "segkit.models.files",
    "open_volume": "segkit.volumes.files",
    "read_card": "segkit.models.files",
    "save_model": "segkit.models.files",
    "save_volume": "segkit.volumes.files",
}
_ROOMS = (
    "data",
    "evaluation",
    "experiments",
    "export",
    "geometry",
    "inference",
    "instances",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "preprocessing",
    "report",
    "search",
    "targets",
    "tasks",
    "training",
    "volumes",
)

__all__ = [*_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"segkit.{name}")
    if name == "__version__":
        return importlib.metadata.version("segkit")
    raise AttributeError(f"module 'segkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__, "__version__"]
