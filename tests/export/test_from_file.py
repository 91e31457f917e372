"""A model file is exported from a process of any backend."""

from __future__ import annotations

import importlib.util
import pathlib

import keras
import pytest

from segkit.errors import InputError
from segkit.export import from_file
from segkit.export.from_file import export_from_file
from segkit.export.saved_model import read_exported_card
from segkit.models.card import ModelCard
from segkit.models.files import save_model
from segkit.models.seget import seget
from segkit.preprocessing.standardize import Standardize

# Keras's own: NumPy 2.4 dislikes how Keras 3.15 reads TensorFlow variables while it saves them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
CARD = ModelCard(name="m", structure="s", preprocessing=Standardize(mean=1.0, std=2.0), multiple_px=4)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "model.keras"
    save_model(seget(filters=(2, 2), dilation_rates=(1,)), path, CARD)
    return path


def test_in_this_process(file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported = []
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(from_file, "export_saved_model", lambda *a, **k: exported.append((a, k)))
    export_from_file(tmp_path, "served", overwrite=True)  # the run folder
    [((model, card, root), options)] = exported
    assert (model.name, card, root, options) == ("seget", CARD, "served", {"overwrite": True})


def test_in_a_second_process(
    file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, warm_subprocess: None
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    version = export_from_file(file, tmp_path / "served")
    assert version == tmp_path / "served" / "m" / "1"
    assert read_exported_card(version) == CARD
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        export_from_file(file, tmp_path / "taken")


def test_without_tensorflow(file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed; install tensorflow"):
        export_from_file(file)


def test_a_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        export_from_file(tmp_path / "no.keras", tmp_path)
