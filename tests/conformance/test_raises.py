"""A public function says under ``Raises`` what it raises itself, or its class does."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted(path for package in ("segkit", "recipes") for path in (ROOT / package).rglob("*.py"))

# Python calls these, and expects these errors of them.
OF_PYTHON = {"__getattr__", "__getitem__", "__array__"}


def raised_by(function):
    """Return the names of the errors that a function makes itself; functions inside it have their own."""
    found, rest = set(), list(function.body)
    while rest:
        node = rest.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func).split(".")[-1])
        rest.extend(ast.iter_child_nodes(node))
    return found


def named_in(*owners):
    """Return the text under ``Raises`` of some docstrings."""
    texts = (ast.get_docstring(owner) or "" for owner in owners)
    sections = (re.search(r"^Raises:\n((?:[ \t]+.*\n?|\n)*)", text, re.MULTILINE) for text in texts)
    return "".join(section[1] for section in sections if section)


def public_functions(body, owners=()):
    """Yield every public function with the classes that it stands in."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, (*owners, node))
        elif isinstance(node, ast.FunctionDef) and is_public(node.name, in_class=bool(owners)):
            yield node, owners


def is_public(name, *, in_class):
    """Return whether a function is called by users, or by Python for them."""
    return not name.startswith("_") or (in_class and name.startswith("__") and name not in OF_PYTHON)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_errors_are_named(path):
    for function, owners in public_functions(ast.parse(path.read_text()).body):
        named = named_in(function, *owners)
        missing = {error for error in raised_by(function) if not re.search(rf"\b{error}:", named)}
        assert not missing, f"{function.name} raises {missing}: say when, under Raises"
