"""``--device``: what a process and its children are allowed to see."""

import os

import pytest

from segkit.commands import device
from segkit.commands.device import choose_device, found_devices
from segkit.errors import InputError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Put back what is chosen, and set no limit."""
    monkeypatch.setenv("JAX_PLATFORMS", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    del os.environ["CUDA_VISIBLE_DEVICES"]


def finds(monkeypatch, *names, backend="tensorflow"):
    monkeypatch.setattr(device, "found_devices", lambda name: {"backend": backend, "gpus": list(names)})


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("cpu", "0", "-1"), ("gpu", None, "0"), ("GPU:1", None, "1"), ("gpu:1", "3, 2", "2"),
     ("gpu", "GPU-5f,1", "GPU-5f"), (None, "as it was", "as it was")],
)  # fmt: skip
def test_one_device_is_visible_counted_among_those_that_were(name, before, after, monkeypatch):
    finds(monkeypatch, "A100", "A100")
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    choose_device(name)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == after
    assert os.environ["JAX_PLATFORMS"] == ("cpu" if name == "cpu" else "")


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "gpu:", "gpu:x", "gpu:-1", "gpu:²", ""])
def test_names_that_are_none(name, monkeypatch):
    finds(monkeypatch, "A100")
    with pytest.raises(InputError, match=f"^--device {name}: expected cpu, gpu, or gpu:N; choose one of those$"):
        choose_device(name)


def test_what_there_is_is_listed(monkeypatch):
    finds(monkeypatch, "A100", "T4", backend="jax")
    with pytest.raises(
        InputError, match=r"^--device gpu:2: JAX finds no such device; choose one of cpu, gpu:0 \(A100\)"
    ):
        choose_device("gpu:2")
    finds(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with pytest.raises(
        InputError, match=r"TensorFlow finds no GPU with CUDA_VISIBLE_DEVICES=7, only cpu; give --device"
    ):
        choose_device("gpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"


def test_a_backend_that_cannot_be_asked_about_gpus_is_trusted(monkeypatch):
    monkeypatch.setattr(device, "found_devices", lambda name: {"backend": "torch", "gpus": None})
    choose_device("gpu:1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_each_backend_is_asked_in_a_process_of_its_own(backend, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert found_devices("gpu") == {"backend": backend, "gpus": []}


def test_a_backend_that_is_not_there(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "nothing")
    with pytest.raises(
        InputError, match=r"^--device gpu: the GPUs of this machine cannot be listed .*; leave out --device$"
    ):
        found_devices("gpu")
