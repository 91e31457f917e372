"""``--device``: the one device that a command and its processes compute on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from segkit.errors import InputError

_TITLES = {"tensorflow": "TensorFlow", "jax": "JAX"}


def choose_device(name: str | None) -> None:
    """Let this process and its children see one device; before TensorFlow or JAX is imported.

    A process of its own is asked which GPUs there are: this one could not be restricted any more once it had looked.

    Args:
        name: ``"cpu"``, ``"gpu"`` or ``"gpu:<n>"``; ``None`` for any that there is. Where ``CUDA_VISIBLE_DEVICES`` is
            set, GPUs are counted among those that it names.

    Raises:
        InputError: If it is another name, the backend does not find the GPU, or cannot be asked.
    """
    if name is None:
        return
    kind, colon, number = name.lower().partition(":")
    if kind == "cpu" and not colon:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
        return
    if kind != "gpu" or (colon and not (number.isascii() and number.isdecimal())):
        raise InputError(f"--device {name}: expected cpu, gpu, or gpu:N; choose one of those")
    chosen, visible = int(number or 0), os.environ.get("CUDA_VISIBLE_DEVICES")
    found = found_devices(name)
    names = found["gpus"]
    if names is not None and chosen >= len(names):
        raise InputError(f"--device {name}: {_absent(found, visible)}")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[chosen].strip() if names and visible else str(chosen)


def _absent(found: dict[str, Any], visible: str | None) -> str:
    """Return what there is in place of a device that is not found, and what to do."""
    title, names = _TITLES.get(found["backend"], found["backend"]), found["gpus"]
    where = "" if visible is None else f" with CUDA_VISIBLE_DEVICES={visible}"
    if not names:
        return f"{title} finds no GPU{where}, only cpu; give --device cpu, or leave it out"
    listed = ", ".join(["cpu", *(f"gpu:{number} ({name})" for number, name in enumerate(names))])
    return f"{title} finds no such device{where}; choose one of {listed}"


def found_devices(name: str) -> dict[str, Any]:
    """Return ``backend``, the one of Keras, and ``gpus``, the names of the GPUs that it finds or ``None``.

    Args:
        name: The device that is looked for, for the message.

    Raises:
        InputError: If the backend cannot be asked.
    """
    # It must find what this process finds, and must not take the memory of a GPU only to name it.
    own = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "segkit.gpus"]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise InputError(f"--device {name}: the GPUs of this machine cannot be listed ({reason}); leave out --device")
    return json.loads(done.stdout.splitlines()[-1])
