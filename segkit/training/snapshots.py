"""Atomic snapshots of a running training, from which it resumes as if it had not been interrupted."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
from typing import Any

import keras
import numpy as np

from segkit.errors import InputError, faults_told

_LOG = logging.getLogger(__name__)
_FACTS = "facts.json"
_KEPT = 2
_COUNTER = re.compile(r"_\d+(?=[/_]|$)")


class Snapshots:
    """Numbered snapshots in one folder: all variables of a model and its optimizer, and facts as JSON.

    A snapshot is written under another name, flushed to the disk, and renamed: a process killed at any moment leaves
    whole snapshots only. The last two are kept, and one that cannot be read (a disk fault) is skipped with a
    warning.

    Args:
        folder: Where they are written; made on the first write.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)

    def write(self, epoch: int, model: keras.Model, facts: dict[str, Any]) -> None:
        """Write the snapshot of a finished epoch and drop older ones.

        Args:
            epoch: Number of epochs that are finished.
            model: Compiled model, its optimizer built.
            facts: Anything that ``json`` writes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._path(epoch)
        unfinished = target.with_suffix(".unfinished")
        with open(unfinished, "wb") as stream:
            # Facts as bytes in the same file: they are there or missing together with the variables.
            text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
            np.savez(stream, **{_FACTS: text}, **_arrays(model))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, target)
        for old in self._all()[:-_KEPT]:
            old.unlink()

    def keep_newest(self) -> None:
        """Remove all snapshots but the newest that can be read."""
        snapshots = self._all()
        while len(snapshots) > 1:
            try:
                _read(snapshots[-1])
            except InputError:
                snapshots.pop().unlink()
                continue
            for old in snapshots[:-1]:
                old.unlink()
            return

    def latest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return facts and arrays of the newest snapshot that can be read, or ``None``."""
        paths = self._all()
        while paths:
            try:
                return _read(paths.pop())
            except InputError as fault:
                _LOG.warning(
                    "%s; %s", fault, "trying the snapshot before it" if paths else "there is no other snapshot"
                )
        return None

    def has_any(self) -> bool:
        """Return whether there are snapshots, readable or not."""
        return bool(self._all())

    def _path(self, epoch: int) -> pathlib.Path:
        # Padded with zeros, so that names are sorted by epoch.
        return self.folder / f"epoch-{epoch:05d}.npz"

    def _all(self) -> list[pathlib.Path]:
        return sorted(self.folder.glob("epoch-*.npz"))


def _read(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with faults_told(path, "a snapshot"), open(path, "rb") as stream, np.load(stream) as stored:
        # NumPy leaves a file open that it is given by its path and cannot read.
        arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(np.asarray(arrays.pop(_FACTS)).tobytes())
        if not isinstance(facts, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds something else")
    return facts, arrays


def restore_variables(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Put the arrays of a snapshot back into a model and its optimizer.

    Raises:
        InputError: If the model or the optimizer has other variables.
    """
    variables = {_uncounted(name): variable for name, variable in _variables(model).items()}
    arrays = {_uncounted(name): array for name, array in arrays.items()}
    if variables.keys() != arrays.keys():
        missing = variables.keys() ^ arrays.keys()
        raise InputError(
            f"the run to resume has another network: {sorted(missing)[0]!r} is in only one of them; restore the "
            "model in plan.json, or start over with --overwrite (in Python overwrite=True)"
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != arrays[name].shape:
            raise InputError(
                f"the run to resume has another network: {name!r} has shape {arrays[name].shape}, the plan's has "
                f"{tuple(variable.shape)}; put the model back in plan.json, or start over with --overwrite (in "
                "Python overwrite=True)"
            )
        variable.assign(arrays[name])


def _variables(model: keras.Model) -> dict[str, Any]:
    # `model.variables` holds the states of random generators besides the weights.
    # The number makes names unique where layers share a path.
    named = {f"model/{i}/{variable.path}": variable for i, variable in enumerate(model.variables)}
    slots = {f"optimizer/{i}/{variable.path}": variable for i, variable in enumerate(model.optimizer.variables)}
    return named | slots


def _uncounted(name: str) -> str:
    """Return a name without the numbers by which Keras distinguishes layers of one process.

    The same network has other numbers when it is built a second time. Its place keeps the name unique.
    """
    group, place, path = name.split("/", 2)
    return f"{group}/{place}/{_COUNTER.sub('', path)}"


def _arrays(model: keras.Model) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in _variables(model).items()}
