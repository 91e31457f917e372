"""The model file: a ``.keras`` archive that also holds the model's card."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import pkgutil
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from segkit.arguments import plain
from segkit.errors import InputError, faults_told
from segkit.json_object import parse_object
from segkit.model_path import open_archive, resolve_model_path
from segkit.models.card import ModelCard
from segkit.models.check_outputs import check_outputs
from segkit.volumes.hdf5_process import check_hdf5_values
from segkit.volumes.whole_output import whole_file

_WEIGHTS_MEMBER = "model.weights.h5"

CARD_MEMBER = "segkit.json"
"""Name of the card inside the archive; Keras ignores members it does not know."""


def register_all() -> None:
    """Import every module that registers a class under ``segkit>``: loading a model file imports none by itself."""
    for name in ("layers", "losses", "metrics", "models"):
        package = importlib.import_module(f"segkit.{name}")
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def save_model(model: keras.Model, path: str | os.PathLike[str], card: ModelCard) -> None:
    """Write model and card as one ``.keras`` file, whole or not at all; an older file is replaced.

    Args:
        model: A Keras model with the outputs of the card's task, whose classes are registered.
        path: Target, ending in ``.keras``.
        card: What the model needs to be used.

    Raises:
        InputError: If the network lacks an output of the card's task, the path has another suffix, or its folder is
            missing.
    """
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise InputError(f"{path}: a model file is named *.keras; choose such a name")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it or choose another one")
    check_outputs(model, card)
    unfinished = path.with_name(f".{path.stem}.unfinished.keras")
    try:
        model.save(unfinished)
        # A `.keras` file is a zip archive, to which a member can be added.
        with zipfile.ZipFile(unfinished, "a") as archive:
            archive.writestr(CARD_MEMBER, json.dumps(plain(card.to_dict()), indent=2))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def replace_card(path: str | os.PathLike[str], card: ModelCard) -> None:
    """Write another card into a model file, whole or not at all; the model itself stays as it is.

    Args:
        path: A ``.keras`` file, or a run folder that holds ``model.keras``.
        card: The new card.

    Raises:
        InputError: If there is no such file, it is not a model, or the disk is full.
    """
    path = resolve_model_path(path)
    # A member of an archive cannot be replaced, so the others are copied.
    with (
        open_archive(path) as archive,
        whole_file(path, overwrite=True) as unfinished,
        zipfile.ZipFile(unfinished, "w") as copy,
    ):
        for member in archive.infolist():
            if member.filename != CARD_MEMBER:
                with archive.open(member) as source, copy.open(member, "w") as target:
                    shutil.copyfileobj(source, target)
        copy.writestr(CARD_MEMBER, json.dumps(plain(card.to_dict()), indent=2))


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Open a ``.keras`` file that segkit, or a user's program built on it, has written.

    segkit's own classes are registered first. Modules with classes of a user's must have been imported: that a file
    names a module is no reason to run it.

    Args:
        path: A ``.keras`` file, or a run folder that holds ``model.keras``.

    Returns:
        The model, not compiled.

    Raises:
        InputError: If there is no such file, it is not a model, or a class in it cannot be found.
    """
    path = resolve_model_path(path)
    register_all()
    with open_archive(path) as archive, faults_told(path, "a Keras model"):
        config = parse_object(archive.read("config.json"), path, "a Keras model")
        _check_weights(archive, path)
    # The file is looked through before Keras rebuilds the model, so that a missing class is named.
    for module, registered_name in sorted(set(_custom_classes(config))):
        if keras.saving.get_registered_object(registered_name) is None:
            raise InputError(f"{path}: needs the class {registered_name!r}, {_why_unknown(module)}")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as fault:  # what Keras raises over a damaged configuration can be anything
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        raise InputError(
            f"{path}: the model cannot be rebuilt ({reason}); it was damaged or written by another version"
        ) from fault


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a model file or run folder.

    Raises:
        InputError: If there is no such file, it is not a model, or it has no card or one with a mistake.
    """
    path = resolve_model_path(path)
    with open_archive(path) as archive:
        if CARD_MEMBER not in archive.namelist():
            raise InputError(
                f"{path}: a Keras model without segkit's card (normalisation, voxel size); "
                "save it with segkit.save_model(model, path, card)"
            )
        with faults_told(path, "a Keras model"):
            content = archive.read(CARD_MEMBER)
        try:
            return ModelCard.from_dict(parse_object(content, CARD_MEMBER, "a model card", is_finite=True))
        except InputError as fault:
            raise InputError(f"{path}: {fault}") from fault


def _check_weights(archive: zipfile.ZipFile, path: pathlib.Path) -> None:
    """Read the weights in a process of their own first: damaged ones would end this process."""
    if _WEIGHTS_MEMBER not in archive.namelist():
        raise InputError(f"{path}: a Keras model without its weights ({_WEIGHTS_MEMBER}); copy it again")
    with tempfile.TemporaryDirectory() as folder:
        # To a name of our own: a member's name is a path that the archive chooses.
        weights = pathlib.Path(folder, "weights.h5")
        with archive.open(_WEIGHTS_MEMBER) as source, open(weights, "wb") as target:
            shutil.copyfileobj(source, target)
        try:
            check_hdf5_values(weights)
        except InputError as fault:
            raise InputError(f"{path}: its weights cannot be read; it was damaged: copy it again") from fault


def _custom_classes(config: Any) -> Iterator[tuple[str, str]]:
    """Yield ``(module, registered name)`` of every class that a Keras configuration names and Keras does not have."""
    if isinstance(config, dict):
        name, module = config.get("registered_name"), config.get("module")
        # Registered names are "package>class"; those of Keras's own classes have no ">".
        if isinstance(name, str) and isinstance(module, str) and ">" in name:
            yield module, name
        # Keras writes no module where it is that of the program.
        if isinstance(name, str) and "module" in config and module is None:
            yield "__main__", name
        for value in config.values():
            yield from _custom_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _custom_classes(value)


def _why_unknown(module: str) -> str:
    """Return why a class of a module is not registered, and what to do."""
    if module == "__main__":
        return (
            "which was defined in the program that wrote the model; put it into a module of its own, and import that "
            "before loading (segkit commands: --import MODULE)"
        )
    if module in sys.modules:
        return (
            f"which the module {module!r} does not register; decorate it with "
            "keras.saving.register_keras_serializable and import its module before loading"
        )
    return (
        f"of the module {module!r}, which is not imported because a file names it; if you trust the file, import the "
        f"module before loading (segkit commands: --import {module})"
    )
