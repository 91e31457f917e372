"""Where the model is that a path means; of use before Keras is loaded."""

from __future__ import annotations

import os
import pathlib

from segkit.errors import InputError

RUN_MODEL_NAME = "model.keras"
"""Name of the best model inside a run folder."""


def resolve_model_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return the model file that a path means: itself, or ``model.keras`` in a run folder.

    Raises:
        InputError: If there is no such file, or no model in the folder.
    """
    path = pathlib.Path(path)
    found = path / RUN_MODEL_NAME if path.is_dir() else path
    if not found.is_file():
        where = f"{path}: no {RUN_MODEL_NAME} in this folder" if path.is_dir() else f"{path}: no such file"
        raise InputError(f"{where}; give a .keras file or the folder of a finished training run")
    return found
