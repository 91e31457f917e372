"""What a result depends on besides its plan: the command and the versions."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import shlex
import sys

from segkit.experiments.folder import COMMANDS_NAME
from segkit.volumes.whole_output import whole_file


def command_line() -> str:
    """Return the command that this process was started with."""
    return shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]])


def remember_command(folder: pathlib.Path, *, resume: bool) -> None:
    """Write down the command of this process behind those that a run, comparison or cross-validation was made with.

    Args:
        folder: Its folder.
        resume: It is resumed; otherwise the file starts over.
    """
    path = folder / COMMANDS_NAME
    known = path.read_text().splitlines() if resume and path.exists() else []
    known = [*known, command_line()] if known[-1:] != [command_line()] else known
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in known))


def commands_of(folder: pathlib.Path) -> str:
    """Return the commands that what a folder holds was made with, one per line, the first one first.

    That of this process where none were written down.
    """
    path = folder / COMMANDS_NAME
    return path.read_text().strip() if path.exists() else command_line()


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    import keras  # here, not above: to write down a command must not take as long as to load it

    names = ("segkit", "tensorflow", "keras", "numpy", "jax")
    found = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
