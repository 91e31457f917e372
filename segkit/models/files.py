"""The model file: a ``.keras`` archive that also holds the model's card."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import pkgutil
import shutil
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from segkit.errors import InputError
from segkit.model_path import resolve_model_path
from segkit.models.card import ModelCard
from segkit.volumes.whole_output import whole_file

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
        model: Any Keras model whose classes are registered.
        path: Target, ending in ``.keras``.
        card: What the model needs to be used.
    """
    path = pathlib.Path(path)
    unfinished = path.with_name(f".{path.stem}.unfinished.keras")
    try:
        model.save(unfinished)
        # A `.keras` file is a zip archive, to which a member can be added.
        with zipfile.ZipFile(unfinished, "a") as archive:
            archive.writestr(CARD_MEMBER, json.dumps(card.to_dict(), indent=2))
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
        _open_archive(path) as archive,
        whole_file(path, overwrite=True) as unfinished,
        zipfile.ZipFile(unfinished, "w") as copy,
    ):
        for member in archive.infolist():
            if member.filename != CARD_MEMBER:
                with archive.open(member) as source, copy.open(member, "w") as target:
                    shutil.copyfileobj(source, target)
        copy.writestr(CARD_MEMBER, json.dumps(card.to_dict(), indent=2))


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Open a ``.keras`` file that segkit, or a user's program built on it, has written.

    segkit's own classes are registered first. A class that a user registered is found by importing the module that
    the file names for it, which must be importable (on ``sys.path``): so open only files from people you trust, as
    with any program.

    Args:
        path: A ``.keras`` file, or a run folder that holds ``model.keras``.

    Returns:
        The model, not compiled.

    Raises:
        InputError: If there is no such file, it is not a model, or a class in it cannot be found.
    """
    path = resolve_model_path(path)
    register_all()
    with _open_archive(path) as archive:
        config = json.loads(archive.read("config.json"))
    # The file is looked through before Keras rebuilds the model, so that a missing class is named.
    for module, registered_name in sorted(set(_custom_classes(config))):
        if keras.saving.get_registered_object(registered_name) is None:
            _import_for(module, registered_name, path)
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as fault:
        reason = str(fault).strip().splitlines()[0]
        raise InputError(
            f"{path}: the model cannot be rebuilt ({reason}); it was damaged or written by another version"
        ) from fault


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a model file or run folder.

    Raises:
        InputError: If there is no such file, it is not a model, or it has no card or one with a mistake.
    """
    path = resolve_model_path(path)
    with _open_archive(path) as archive:
        if CARD_MEMBER not in archive.namelist():
            raise InputError(
                f"{path}: a Keras model without segkit's card (normalisation, voxel size); "
                "save it with segkit.save_model(model, path, card)"
            )
        try:
            return ModelCard.from_dict(json.loads(archive.read(CARD_MEMBER)))
        except InputError as fault:
            raise InputError(f"{path}: {fault}") from fault


def _open_archive(path: pathlib.Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as fault:
        raise InputError(f"{path}: not a Keras model file ({fault}); give a .keras file") from fault
    if "config.json" not in archive.namelist():
        archive.close()
        raise InputError(f"{path}: a zip archive, but not a Keras model (no config.json); give a .keras file")
    return archive


def _custom_classes(config: Any) -> Iterator[tuple[str, str]]:
    """Yield ``(module, registered name)`` of every registered class that a Keras configuration names."""
    if isinstance(config, dict):
        name, module = config.get("registered_name"), config.get("module")
        # Registered names are "package>class"; those of Keras's own classes have no ">".
        if isinstance(name, str) and isinstance(module, str) and ">" in name:
            yield module, name
        for value in config.values():
            yield from _custom_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _custom_classes(value)


def _import_for(module: str, registered_name: str, path: pathlib.Path) -> None:
    try:
        importlib.import_module(module)
    except ImportError as fault:
        raise InputError(
            f"{path}: needs the class {registered_name!r} from the module {module!r}, which cannot be imported "
            f"({fault}); put its folder on PYTHONPATH, import it before loading, or name its module with --import"
        ) from fault
    if keras.saving.get_registered_object(registered_name) is None:
        raise InputError(
            f"{path}: needs the class {registered_name!r}, which the module {module!r} does not register; "
            "decorate it with keras.saving.register_keras_serializable and import its module before loading"
        )
