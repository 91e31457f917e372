"""Names of models, under which they are served: each becomes the name of a folder."""

from __future__ import annotations

import pathlib
from typing import Any


def is_folder_name(name: str) -> bool:
    """Return whether a name can be that of one folder.

    Example:
        >>> is_folder_name("nuclei 2"), is_folder_name("a/b"), is_folder_name("..")
        (True, False, False)
    """
    return name not in ("", ".", "..") and "\0" not in name and pathlib.PurePath(name).name == name


def check_card_name(name: Any) -> None:
    """Check that a model can be served under a name: it becomes that of a folder.

    Args:
        name: The name.

    Raises:
        ValueError: If it cannot be the name of a folder.
    """
    if not isinstance(name, str) or not is_folder_name(name):
        raise ValueError(
            f"`name` must be text that can be the name of a folder, such as 'segET-centriole'. Received: name={name!r}"
        )
