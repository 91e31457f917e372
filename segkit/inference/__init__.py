"""Prediction of whole volumes, block by block."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "Block": "segkit.inference.engines",
    "BlockResult": "segkit.inference.engines",
    "Deferred": "segkit.inference.engines",
    "Engine": "segkit.inference.engines",
    "InProcess": "segkit.inference.executors",
    "LoadedModel": "segkit.inference.loaded_model",
    "PredictOptions": "segkit.inference.predict_options",
    "Prediction": "segkit.inference.prediction",
    "Processes": "segkit.inference.executors",
    "StreamingEngine": "segkit.inference.engines",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
