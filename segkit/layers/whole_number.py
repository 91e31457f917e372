"""Whole numbers among the arguments of layers."""

from __future__ import annotations

import numbers


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
