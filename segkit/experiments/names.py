"""Names of runs, which become part of the names of files and served models."""

from __future__ import annotations

import pathlib
import re

from segkit.errors import InputError

_PLAIN = re.compile(r"[\w][\w .+-]*")


def is_plain_name(name: str) -> bool:
    """Return whether a name can be part of a file name: letters, digits, and ``- _ . +`` or spaces between them.

    Example:
        >>> is_plain_name("nuclei 2"), is_plain_name("a/b")
        (True, False)
    """
    return _PLAIN.fullmatch(name) is not None


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be part of a file name.

    Args:
        name: The name.
        what: What it names, as the message says it: ``"--name"`` or ``"structure"``.

    Raises:
        InputError: If the name is not plain.
    """
    if not is_plain_name(name):
        raise InputError(f"{what} {name!r}: it becomes part of file names; use letters, digits, - and _")


def plain_stem(path: str, default: str) -> str:
    """Return the name of a file without its suffixes as a plain name; ``default`` where nothing of it is left.

    Example:
        >>> plain_stem("data/HeLa cells (2).ome.tif", "images")
        'HeLa-cells-2'
    """
    stem = pathlib.Path(path).stem.split(".")[0]
    return re.sub(r"[^\w.+-]+", "-", stem).strip("-.") or default
