"""JSON files that hold one object, read with one line for every fault."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from segkit.errors import InputError, faults_told


def read_object(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: The file.
        kind: What it is expected to be, such as ``"a plan"``.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it holds anything else.
    """
    with faults_told(path, kind):
        content = pathlib.Path(path).read_bytes()
    return parse_object(content, path, kind)


def parse_object(content: bytes, path: str | os.PathLike[str], kind: str, *, is_finite: bool = False) -> dict[str, Any]:
    """Parse the bytes of a file that holds one JSON object.

    Args:
        content: Its bytes.
        path: What messages call it.
        kind: What it is expected to be.
        is_finite: Refuse ``NaN`` and infinite numbers, which Python writes and JSON does not have.

    Raises:
        InputError: If it holds anything else.
    """
    try:
        found = json.loads(
            content.decode("utf-8"), parse_constant=_refused if is_finite else None, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as fault:
        reason = " ".join(str(fault).split())
        raise InputError(f"{path}: not {kind} ({reason}); it may be damaged: copy it again, or correct it") from fault
    if not isinstance(found, dict):
        raise InputError(f"{path}: not {kind} (a JSON object is expected); it may be damaged: copy it again")
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the entry {name!r} is there twice")
        found[name] = value
    return found


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")
