"""A trained model as TF Serving and every other TensorFlow runtime reads it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import uuid

import keras

from segkit.errors import InputError
from segkit.json_object import read_object
from segkit.models.card import ModelCard
from segkit.models.precision import with_precision

CARD_ASSET = pathlib.Path("assets.extra", "segkit.json")
"""Path of the card inside a SavedModel; TensorFlow leaves this folder to others."""

_HOST = "".join(c for c in socket.gethostname() if c.isalnum()) or "host"


def export_saved_model(
    model: keras.Model,
    card: ModelCard,
    root: str | os.PathLike[str] = "saved_models",
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Write ``<root>/<card.name>/<n>/``, a SavedModel, whole or not at all.

    The served model computes in float32 whatever precision it was trained in, and needs neither segkit nor
    Keras. ``segkit.export.signatures`` says what it takes and gives. While it is being written it is a hidden
    folder next to its final place, which servers that watch for new versions leave alone.

    Args:
        model: Network from ``(b, y, x, c)`` to ``{"logits": (b, y, x, 1)}``.
        card: Normalisation, threshold and the name to be served under; stored as
            ``assets.extra/segkit.json``.
        root: Folder of served models.
        overwrite: Replace the highest version instead of adding the next one. A server that has loaded it
            notices nothing until it is started again.

    Returns:
        The new folder; ``n`` is one more than the highest version there, from 1.

    Raises:
        InputError: If Keras does not run on TensorFlow, nothing can be written there, or the network lacks an output of
            its task.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"a SavedModel can only be written with Keras on TensorFlow, found {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow, or save the model and use export_from_file"
        )
    import tensorflow as tf  # only here: this module must load, and speak, where TensorFlow is missing

    versions = pathlib.Path(root) / card.name
    unfinished = versions / f".unfinished-{_HOST}-{os.getpid()}-{uuid.uuid4().hex}"
    try:
        versions.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(versions)
        unfinished.mkdir()
        try:
            _write(model, card, unfinished)
        except InputError:
            raise
        except ValueError as fault:
            raise InputError(f"{card.name}: {fault}") from fault
        return _publish(unfinished, versions, overwrite=overwrite)
    except (OSError, tf.errors.OpError) as fault:
        reason = str(fault).strip().splitlines()[0]
        raise InputError(
            f"{versions}: the model cannot be written ({reason}); free some space there or choose another folder"
        ) from fault
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_abandoned(versions: pathlib.Path) -> None:
    """Remove what killed exports of this machine have left."""
    for folder in versions.glob(f".unfinished-{_HOST}-*-*"):
        pid = folder.name.removeprefix(f".unfinished-{_HOST}-").partition("-")[0]
        if pid.isdecimal() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def read_exported_card(path: str | os.PathLike[str]) -> ModelCard:
    """Return the card of a SavedModel.

    Args:
        path: A version's folder, as ``export_saved_model`` returns it.

    Raises:
        InputError: If there is no card in it.
    """
    file = pathlib.Path(path) / CARD_ASSET
    if not file.is_file():
        raise InputError(f"{path}: no {CARD_ASSET} in it; give the folder of one version that segkit exported")
    return ModelCard.from_dict(read_object(file, "a model card"))


def existing_versions(folder: str | os.PathLike[str]) -> list[int]:
    """Return the versions in the folder of one served model, in order; other folders are left out."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isascii() and entry.name.isdigit())


def _write(model: keras.Model, card: ModelCard, folder: pathlib.Path) -> None:
    from segkit.export.signatures import serving_signatures  # imports tensorflow, see above

    archive = keras.export.ExportArchive()
    # Each endpoint is traced with its own input signature.
    for name, (function, spec) in serving_signatures(with_precision(model, "float32"), card).items():
        archive.add_endpoint(name, function, [spec])
    archive.write_out(folder, verbose=False)
    asset = folder / CARD_ASSET
    asset.parent.mkdir()
    asset.write_text(json.dumps(card.to_dict(), indent=2), encoding="utf-8")


def _publish(unfinished: pathlib.Path, versions: pathlib.Path, *, overwrite: bool) -> pathlib.Path:
    """Give a finished folder its version number; another process may be taking numbers too."""
    taken = existing_versions(versions)
    if overwrite and taken:
        target = versions / str(taken[-1])
        replaced = versions / unfinished.name.replace("unfinished", "replaced")
        # The old version is moved away, not deleted first: the number is missing for an instant only.
        os.rename(target, replaced)
        os.rename(unfinished, target)
        shutil.rmtree(replaced)
        return target
    number = max(taken, default=0)
    while True:
        number += 1
        target = versions / str(number)
        try:
            os.rename(unfinished, target)
        except OSError:
            if not target.exists():
                raise
            continue  # another process took it a moment ago
        return target
