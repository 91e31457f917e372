"""What a result depends on beside its plan: the command and the versions."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import shlex
import sys

import keras


def command_line() -> str:
    """Return the command that this process was started with."""
    return shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]])


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    names = ("segkit", "tensorflow", "keras", "numpy", "jax")
    found = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
