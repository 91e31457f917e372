"""What makes a prediction the same prediction: model, input and choices, in a few words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.volumes.volume import Volume

_LAYOUT = 1  # of the folder in which a prediction is kept until it is whole


def task_identity(models: Sequence[LoadedModel], volume: Volume, options: PredictOptions) -> dict[str, Any]:
    """Describe a prediction so that two with equal descriptions give equal results.

    Args:
        models: The models, in the order of their labels.
        volume: The input.
        options: The choices.

    Returns:
        A dict as ``json`` reads it back.
    """
    return {
        "layout": _LAYOUT,
        "backend": keras.backend.backend(),
        "models": [model_identity(loaded) for loaded in models],
        "input": volume_identity(volume),
        "options": options.what_counts(),
    }


def model_identity(loaded: LoadedModel) -> dict[str, Any]:
    """Describe a model by its structure, its weights and the facts of its card that decide a result."""
    digest = hashlib.sha256(loaded.model.to_json().encode())
    # The structure alone is equal for all trainings of one network.
    for weights in loaded.model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    card = loaded.card.to_dict()
    # Who trained it and when decides nothing.
    del card["provenance"]
    # Tuples become lists, as they are when the stored identity is read back and compared.
    return {**json.loads(json.dumps(card)), "sha256": digest.hexdigest()}


def volume_identity(volume: Volume) -> dict[str, Any]:
    """Describe a volume by its file (path, size, time of the last change), its shape and a few of its slices.

    The slices (first, middle and last; all for a volume without a file) distinguish what one file can be
    opened as: datasets, channels, flipped rows.
    """
    depth = volume.shape[0]
    found: dict[str, Any] = {"shape": list(volume.shape), "dtype": str(volume.dtype)}
    if volume.source is None:
        slices = range(depth)
    else:
        slices = sorted({0, depth // 2, depth - 1})
        path = volume.source.resolve()
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        status = [file.stat() for file in files]
        found |= {
            "path": str(path),
            "bytes": sum(s.st_size for s in status),
            "changed_ns": max(s.st_mtime_ns for s in status),
        }
    digest = hashlib.sha256()
    for z in slices:
        digest.update(np.ascontiguousarray(volume.array[z]).tobytes())
    return {**found, "sha256": digest.hexdigest()}
