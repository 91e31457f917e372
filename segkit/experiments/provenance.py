"""What a result depends on besides its plan: the command and the versions."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import shlex
import sys

import keras

from segkit.volumes.whole_output import whole_file


def command_line() -> str:
    """Return the command that this process was started with."""
    return shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]])


def remember_command(path: pathlib.Path, *, resume: bool) -> list[str]:
    """Write down the command of this process behind those that the run was made with so far.

    Args:
        path: Their file.
        resume: The run is resumed; otherwise the file starts over.

    Returns:
        All of them, the first one first.
    """
    known = path.read_text().splitlines() if resume and path.exists() else []
    known = [*known, command_line()] if known[-1:] != [command_line()] else known
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in known))
    return known


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
