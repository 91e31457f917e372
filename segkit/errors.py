"""Errors that a user can correct."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


class InputError(ValueError):
    """An error in the user's input: one line with what was found, what was expected and the remedy.

    The command line prints the message alone and exits with status 2; library users catch it as a ``ValueError``.
    """


@contextlib.contextmanager
def faults_told(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Turn whatever a library raises over damaged or foreign bytes into one line for the user.

    What a library raises then is documented nowhere and changes with its versions, so that every exception counts, and
    the block should hold calls of that library alone. Missing files and refused access are passed on: they are no
    faults of what is in the file.

    Args:
        path: The file that is read.
        kind: What it is expected to be, such as ``"TIFF"``.

    Raises:
        InputError: If the library raises.
    """
    try:
        yield
    except (InputError, FileNotFoundError, NotADirectoryError, PermissionError):
        raise
    except MemoryError as error:
        raise InputError(
            f"{path}: more memory is needed than is free to read it as {kind}; it may be damaged: check its size, or "
            "copy it again"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: cannot be read as {kind} ({reason}); it may be cut off or damaged: copy it again, or save it "
            "again with the program that wrote it"
        ) from error
