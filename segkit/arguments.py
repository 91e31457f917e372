"""Checks of arguments that Python itself takes of any type; the errors name the argument."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)  # networks compute in float32


def plain(value: Any) -> Any:
    """Return a number of NumPy as Python's own, also inside lists, tuples, dicts and arrays; all else as it is.

    Model files and plans are JSON, which knows no other numbers.

    Example:
        >>> plain(np.int64(3)), plain([np.float32(0.5), 1]), plain(np.array([2, 4]))
        (3, [0.5, 1], [2, 4])
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if type(value) is dict:
        return {key: plain(part) for key, part in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def make_fields_plain(thing: Any) -> None:
    """Replace NumPy's numbers in the fields of a frozen dataclass, to be called first in its ``__post_init__``.

    Args:
        thing: The object.
    """
    for field in dataclasses.fields(thing):
        object.__setattr__(thing, field.name, plain(getattr(thing, field.name)))


def whole_number(name: str, value: int, *, least: int | None = None) -> int:
    """Return an argument that must be a whole number.

    Args:
        name: Name of the argument, for the error.
        value: What was given; NumPy's whole numbers are taken, too.
        least: Smallest valid number; none by default.

    Raises:
        ValueError: If the value is not whole, or too small.
    """
    value = plain(value)
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or (least is not None and value < least):
        kind = {None: "a whole number", 1: "a positive whole number"}.get(least, f"a whole number of at least {least}")
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return value


def finite_number(name: str, value: float) -> float:
    """Return an argument that must be a number that float32 holds, neither infinite nor NaN.

    Args:
        name: Name of the argument, for the error.
        value: What was given; NumPy's numbers are taken, too.

    Raises:
        ValueError: If it is anything else, such as text or a boolean.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not abs(value) <= _LARGEST:
        raise ValueError(f"`{name}` must be a finite number. Received: {name}={value!r}")
    return value


def true_or_false(name: str, value: bool) -> bool:
    """Return an argument that must be a boolean: text such as ``"no"`` would count as true.

    Args:
        name: Name of the argument, for the error.
        value: What was given.

    Raises:
        ValueError: If it is anything else.
    """
    value = plain(value)
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def sequence(name: str, value: Sequence[Any], what: str = "whole numbers") -> tuple[Any, ...]:
    """Return an argument that must be a sequence as a tuple.

    Args:
        name: Name of the argument, for the error.
        value: What was given; NumPy's arrays of one axis are taken, too. The entries are not checked.
        what: What the entries are, for the error.

    Raises:
        ValueError: If it is anything else, such as a single number or text.
    """
    is_sequence = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    is_sequence = is_sequence or (isinstance(value, np.ndarray) and value.ndim == 1)
    if not is_sequence:
        raise ValueError(f"`{name}` must be a sequence of {what}. Received: {name}={value!r}")
    return tuple(plain(list(value)))
