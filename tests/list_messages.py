"""Print everything that segkit says to its users, to be read in one go: errors, warnings, log lines, help.

    python tests/list_messages.py            # all
    python tests/list_messages.py error help # these kinds

Names in braces stand for values.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[1]
KINDS = ("error", "python", "warning", "info", "help", "shown")
"""Errors that end a command in one line, errors of wrong Python, the log, help, and what is written directly."""

_FOR_USERS = {"InputError", "ArgumentTypeError"}
_FOR_PROGRAMS = {"ValueError", "TypeError", "RuntimeError", "KeyError", "AttributeError"}


def messages(source):
    """Return what a program says, ``(line, kind, text)`` in the order of its lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = _name(node.exc.func)
            if name in _FOR_USERS | _FOR_PROGRAMS:
                found += _texts(node.exc.args[:1], "error" if name in _FOR_USERS else "python")
        elif isinstance(node, ast.Call):
            name = _name(node.func)
            if name in ("warning", "info", "debug") and _owner(node.func) in ("_LOG", "_log"):
                found += _texts(node.args[:1], "warning" if name == "warning" else "info")
            elif name in ("say", "write"):
                found += _texts(node.args[:1], "shown")
            found += _texts([word.value for word in node.keywords if word.arg in ("help", "description")], "help")
    return sorted(set(found))


def _name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _owner(node):
    return _name(node.value) if isinstance(node, ast.Attribute) else ""


def _texts(nodes, kind):
    for node in nodes:
        if text := _text(node):
            yield node.lineno, kind, text


def _text(node):
    """Return the text of an expression; empty where it has none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.strip()
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}" for part in node.values
        ]
        return "".join(parts).strip()
    if isinstance(node, ast.IfExp):
        return " | ".join(filter(None, (_text(node.body), _text(node.orelse))))
    if isinstance(node, ast.BinOp):
        return " ".join(filter(None, (_text(node.left), _text(node.right))))
    return ""


def main(kinds):
    for path in sorted([*(ROOT / "segkit").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]):
        chosen = [found for found in messages(path.read_text()) if found[1] in (kinds or KINDS)]
        if chosen:
            print(f"\n{path.relative_to(ROOT)}")
        for line, kind, text in chosen:
            print(f"  {line:>4} {kind:<8}{text!r}" if "\n" in text else f"  {line:>4} {kind:<8}{text}")


if __name__ == "__main__":
    main(sys.argv[1:])
