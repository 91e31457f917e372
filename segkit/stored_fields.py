"""Frozen dataclasses from what a plan or a model card holds, which may have been edited by hand."""

from __future__ import annotations

import collections.abc
import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from segkit.errors import InputError

Made = TypeVar("Made")


def from_stored(cls: type[Made], values: Any, what: str) -> Made:
    """Build a dataclass from the settings that a file holds.

    Args:
        cls: The dataclass; its annotations say what each setting must be.
        values: Settings by name, as ``json`` reads them.
        what: What they are, for messages, such as ``"task 'cells'"``.

    Raises:
        InputError: If the values are no object, a setting is unknown, missing or of another type, or the dataclass
            refuses it.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{what} {values!r}; give a JSON object")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if unknown := values.keys() - fields.keys():
        raise InputError(f"{what}: unknown setting {min(unknown, key=str)!r}; correct or remove it")
    for name, field in fields.items():
        has_default = dataclasses.MISSING is not field.default or dataclasses.MISSING is not field.default_factory
        if name not in values and not has_default:
            raise InputError(f"{what}: the setting {name!r} is missing; add it")
    check_types(cls, values, what)
    try:
        return cls(**values)
    except InputError:
        raise  # says itself where it belongs
    except (TypeError, ValueError) as fault:
        raise InputError(f"{what}: {fault}") from fault


def check_types(cls: type, values: Mapping[str, Any], what: str) -> None:
    """Check that settings are of the types that a dataclass is annotated with, as far as ``json`` knows them.

    Args:
        cls: The dataclass.
        values: Settings by name; a list stands for a tuple, and an object for a dataclass.
        what: What they are, for messages.

    Raises:
        InputError: If one is of another type.
    """
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # of a class whose module imports some types for type checkers alone
        return
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            raise InputError(f"{what}: {name} {value!r}; give {_described(hints[name])}")


_PLAIN: dict[Any, tuple[type, str]] = {
    float: (numbers.Real, "a number"),
    int: (numbers.Integral, "a whole number"),
    bool: (bool, "true or false"),
    str: (str, "text"),
    type(None): (type(None), "null"),
}


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value may stand for an annotated type; types that ``json`` does not know are not judged."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        is_number = isinstance(value, numbers.Real)
        # Python counts true as 1; no setting is meant to be infinite or NaN.
        return (
            isinstance(value, _PLAIN[hint][0])
            and (hint is bool or not isinstance(value, bool))
            and (not is_number or math.isfinite(value))
        )
    if origin is typing.Literal:
        return value in parts
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return False
        of_each = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(value) == len(of_each) and all(map(_fits, value, of_each))
    if _is_object(hint):
        return isinstance(value, Mapping) or (origin is None and isinstance(value, hint))
    return True


def _described(hint: Any) -> str:
    """Return what a value of an annotated type is called in a file."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint][1]
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_described, parts))
    if origin is tuple:
        return f"a list of {'' if parts[-1] is ... else f'{len(parts)} '}entries, each {_described(parts[0])}"
    return "a JSON object" if _is_object(hint) else "something else"


def _is_object(hint: Any) -> bool:
    is_mapping = typing.get_origin(hint) in (dict, collections.abc.Mapping)
    return is_mapping or (isinstance(hint, type) and dataclasses.is_dataclass(hint))
