"""Defaults of the public functions and classes, and constants of the classes.

Who leaves an argument out must get what they got before. A value that is changed on purpose is changed in
``public_defaults.json`` too, and told of in CHANGELOG.md.
"""

import importlib
import inspect
import json
import math
import pathlib
import pkgutil

import pytest

import segkit

KNOWN = json.loads(pathlib.Path(__file__).with_name("public_defaults.json").read_text())
FACES = ["segkit", *(f"segkit.{found.name}" for found in pkgutil.iter_modules(segkit.__path__) if found.ispkg)]


def written(value):
    """Return a default as JSON holds it; what is no number, text or sequence of them becomes ``"..."``."""
    if isinstance(value, (list, tuple)):
        return [written(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else "..."


def defaults_of(thing):
    """Return the defaults of a function or class, and what a class says of all its objects.

    Arguments of Keras's own are none of ours.
    """
    found = {}
    if inspect.isclass(thing):
        found = {name: written(value) for name, value in vars(thing).items() if not name.startswith("_")}
        if not thing.__init__.__qualname__.startswith(thing.__name__):
            return {name: value for name, value in found.items() if value != "..."}
    parameters = inspect.signature(thing).parameters.values()
    found |= {one.name: written(one.default) for one in parameters if one.default is not one.empty}
    return {name: value for name, value in found.items() if value != "..."}


def found_in(face):
    module = importlib.import_module(face)
    things = {name: getattr(module, name) for name in module.__all__}
    found = {f"{face}.{name}": defaults_of(thing) for name, thing in things.items() if callable(thing)}
    return {name: defaults for name, defaults in found.items() if defaults}


@pytest.mark.parametrize("face", FACES)
def test_defaults_are_those_that_are_known(face):
    known = {name: defaults for name, defaults in KNOWN.items() if name.rpartition(".")[0] == face}
    assert found_in(face) == known
