"""Checks of arguments that Python itself takes of any type; the errors name the argument."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any


def whole_number(name: str, value: int, *, least: int | None = None) -> int:
    """Return an argument that must be a whole number.

    Args:
        name: Name of the argument, for the error.
        value: What was given; NumPy's whole numbers are taken, too.
        least: Smallest valid number; none by default.

    Raises:
        ValueError: If the value is not whole, or too small.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or (least is not None and value < least):
        kind = {None: "a whole number", 1: "a positive whole number"}.get(least, f"a whole number of at least {least}")
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return value


def finite_number(name: str, value: float) -> float:
    """Return an argument that must be a number, neither infinite nor NaN.

    Args:
        name: Name of the argument, for the error.
        value: What was given; NumPy's numbers are taken, too.

    Raises:
        ValueError: If it is anything else, such as text or a boolean.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
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
    if not is_sequence and getattr(value, "ndim", None) != 1:
        raise ValueError(f"`{name}` must be a sequence of {what}. Received: {name}={value!r}")
    return tuple(value)
