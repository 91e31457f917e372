"""Write ``docs/api.md`` from the docstrings of all modules: ``python docs/make_api.py``. The page is not committed."""

from __future__ import annotations

import functools
import importlib
import inspect
import pathlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import segkit

PAGE = pathlib.Path(__file__).with_name("api.md")
_PROPERTIES = (property, functools.cached_property)


def main(path: pathlib.Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page())


def page() -> str:
    """Return the whole page: every public module that defines something, in the order of their names."""
    parts = ["# API\n\nMade from the docstrings by `python docs/make_api.py`; arrays are `(z, y, x)`, channels last.\n"]
    names = module_names()
    parts.append("".join(f"* [`{name}`](#{name.replace('.', '')})\n" for name in names))
    for name in names:
        module = importlib.import_module(name)
        entries = [entry(public, value) for public, value in defined_in(module)]
        if entries:
            parts += [f"## `{name}`\n\n{inspect.getdoc(module)}\n", *entries]
    return "\n".join(parts)


def module_names() -> list[str]:
    """Return the names of all public modules of the package."""
    found = (module.name for module in pkgutil.walk_packages(segkit.__path__, "segkit."))
    return sorted(name for name in found if not any(part.startswith("_") for part in name.split(".")))


def defined_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the public classes and functions that a module defines, in its order."""
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__ and getattr(value, "__name__", None) == name
        if is_own and callable(value) and not name.startswith("_"):  # decorated functions are not always functions
            yield name, value


def entry(name: str, value: Any) -> str:
    """Return the section of one class, with its methods, or of one function."""
    kind = "class" if inspect.isclass(value) else "def"
    text = [f"### `{kind} {name}`\n\n```text\n{described(name, value)}\n```\n"]
    if inspect.isclass(value):
        text += [
            f"#### `{name}.{method}`\n\n```text\n{described(method, own)}\n```\n" for method, own in methods(value)
        ]
    return "\n".join(text)


def methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the public methods and properties that a class defines itself and describes."""
    for name, value in vars(owner).items():
        inner = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        is_method = callable(inner) or isinstance(inner, _PROPERTIES)
        is_public = not name.startswith("_") or name == "__call__"
        if is_method and inner.__doc__ and is_public:
            yield name, inner if isinstance(inner, _PROPERTIES) else getattr(owner, name)


def described(name: str, value: Any) -> str:
    """Return name, signature and docstring."""
    return f"{name}{signature(value)}\n\n{inspect.getdoc(value) or ''}".strip()


def signature(value: Any) -> str:
    """Return the signature as Python shows it; empty where there is none."""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""
    # Defaults that are functions and modules by their names, not by where they lie on this machine.
    text = re.sub(r"<function (?:\w+\.)*(<?\w+>?) at 0x[0-9a-f]+>", r"\1", text)
    return re.sub(r"<module '(\w+)' from '[^']*'>", r"\1", text)


if __name__ == "__main__":
    main()
