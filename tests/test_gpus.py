"""The GPUs that a backend sees, from what TensorFlow and JAX tell of them."""

import sys
import types

import keras
import pytest

from segkit.gpus import Gpu, gpus


def as_backend(name, monkeypatch, module):
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    if module is not None:
        monkeypatch.setitem(sys.modules, name, module)


def test_tensorflow_tells_name_and_capability(monkeypatch):
    details = {"a": {"device_name": "A100", "compute_capability": (8, 0)}, "b": {}}
    config = types.SimpleNamespace(
        list_physical_devices=lambda kind: list(details) if kind == "GPU" else [],
        experimental=types.SimpleNamespace(get_device_details=details.__getitem__),
    )
    as_backend("tensorflow", monkeypatch, types.SimpleNamespace(config=config))
    assert gpus() == [Gpu("A100", (8, 0)), Gpu("GPU", (0, 0))]


@pytest.mark.parametrize(("told", "capability"), [("8.6", (8, 6)), ("gfx90a", (0, 0)), (None, (0, 0))])
def test_jax_tells_them_among_its_devices(told, capability, monkeypatch):
    cpu = types.SimpleNamespace(platform="cpu", device_kind="cpu")
    gpu = types.SimpleNamespace(platform="gpu", device_kind="A100", compute_capability=told)
    as_backend("jax", monkeypatch, types.SimpleNamespace(devices=lambda: [cpu, gpu]))
    assert gpus() == [Gpu("A100", capability)]


def test_another_backend_is_not_asked(monkeypatch):
    as_backend("torch", monkeypatch, None)
    assert gpus() is None
