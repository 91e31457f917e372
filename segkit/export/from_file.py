"""Export of a model file, whatever backend Keras runs on here."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras

from segkit.errors import InputError
from segkit.export.saved_model import export_saved_model
from segkit.model_path import resolve_model_path
from segkit.models.check_outputs import check_outputs
from segkit.models.files import load_model, read_card
from segkit.registry import user_modules

_CHILD = """
import importlib, sys
from segkit.errors import InputError
from segkit.export.from_file import export_from_file
path, root, overwrite, *modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
try:
    sys.stdout.write(str(export_from_file(path, root, overwrite=overwrite == "True")))
except InputError as fault:
    sys.stdout.write(str(fault))
    sys.exit(2)
"""


def export_from_file(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] = "saved_models",
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Export a model file as ``export_saved_model`` does.

    Where Keras runs on another backend, a second Python process with ``KERAS_BACKEND=tensorflow`` does it: an
    export from JAX is one opaque operation that stock TF Serving may refuse.

    Args:
        path: A ``.keras`` file with a card, or the folder of a training run.
        root: Folder of served models.
        overwrite: Replace the highest version instead of adding the next one.

    Returns:
        The new folder.

    Raises:
        InputError: If the file is not a model with a card, its network lacks an output of its task, TensorFlow is
            missing, or nothing can be written.
        RuntimeError: If the second process fails for another reason.
    """
    path = resolve_model_path(path)
    if keras.backend.backend() == "tensorflow":
        model, card = load_model(path), read_card(path)
        check_outputs(model, card)  # before a folder is made
        return export_saved_model(model, card, root, overwrite=overwrite)
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{path}: a SavedModel is written by TensorFlow, which is not installed; install tensorflow and try again"
        )
    card = read_card(path)
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            _CHILD,
            str(path),
            str(root),
            str(overwrite),
            *user_modules(card.task, card.preprocessing),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode == 2:
        raise InputError(child.stdout)
    if child.returncode:
        reason = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{path}: the export in a second process failed: {reason}")
    return pathlib.Path(child.stdout)
