"""Names that a package offers and that are loaded when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_face(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    So a package lists what it offers, and importing one of its modules loads none of the others.

    Args:
        package: Name of the package, its ``__name__``.
        homes: Names that it offers, and the module that defines each. A name must not be that of a module of the
            package, which Python would set in its place.
    """

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        # `from package import module` asks here first, and imports the module when this is raised.
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        # What the package imports for itself is not offered.
        return [*(name for name in vars(sys.modules[package]) if name.startswith("__")), *homes]

    return get, names
