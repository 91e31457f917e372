"""Segment cells and organelles in electron tomograms and fluorescence volumes with Keras.

Names are loaded when they are first used, so that ``import segkit`` is fast and loads neither Keras nor TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which do not run what loads the names
    from segkit.errors import InputError as InputError
    from segkit.inference.loaded_model import LoadedModel as LoadedModel
    from segkit.models.card import ModelCard as ModelCard
    from segkit.models.files import load_model as load_model
    from segkit.models.files import read_card as read_card
    from segkit.models.files import save_model as save_model
    from segkit.notebook.evaluate import evaluate as evaluate
    from segkit.notebook.predict import predict as predict
    from segkit.notebook.train import train as train
    from segkit.volumes.files import open_volume as open_volume
    from segkit.volumes.files import save_volume as save_volume
    from segkit.volumes.volume import Volume as Volume

_HOMES = {
    "InputError": "segkit.errors",
    "LoadedModel": "segkit.inference.loaded_model",
    "ModelCard": "segkit.models.card",
    "Volume": "segkit.volumes.volume",
    "evaluate": "segkit.notebook.evaluate",
    "load_model": "segkit.models.files",
    "open_volume": "segkit.volumes.files",
    "predict": "segkit.notebook.predict",
    "read_card": "segkit.models.files",
    "save_model": "segkit.models.files",
    "save_volume": "segkit.volumes.files",
    "train": "segkit.notebook.train",
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
    "notebook",
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
    return [*(name for name in globals() if name.startswith("__")), *__all__, "__version__"]
