"""Numbers that are the same for all axes, or one per axis."""

from __future__ import annotations

from collections.abc import Sequence

from segkit.arguments import plain

PerAxis = int | Sequence[int]
"""One whole number for all axes, or one per axis."""


def positive_per_axis(name: str, value: PerAxis) -> int | tuple[int, ...]:
    """Return an argument that is given for all axes at once or per axis, checked.

    Args:
        name: Name of the argument, for the error.
        value: One whole number, or one per axis.

    Returns:
        The number itself, or a tuple.

    Raises:
        ValueError: If a number is not whole or not positive, or there is none.

    Example:
        >>> positive_per_axis("strides", 2), positive_per_axis("strides", [1, 2, 2])
        (2, (1, 2, 2))
    """
    value = plain(value)
    numbers = (value,) if isinstance(value, int) else tuple(value) if isinstance(value, Sequence) else ()
    if not numbers or any(not isinstance(number, int) or number < 1 for number in numbers):
        raise ValueError(f"`{name}` must be a positive whole number, or one per axis. Received: {name}={value!r}")
    return value if isinstance(value, int) else numbers


def along_axes(name: str, value: PerAxis, axes: int) -> tuple[int, ...]:
    """Return one number per axis.

    Args:
        name: Name of the argument, for the error.
        value: One number for all axes, or one per axis.
        axes: Number of axes.

    Raises:
        ValueError: If there is another number of values than of axes.

    Example:
        >>> along_axes("strides", 2, 3)
        (2, 2, 2)
    """
    numbers = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(numbers) != axes:
        raise ValueError(f"`{name}` must be one number, or {axes}, one per axis. Received: {name}={value!r}")
    return numbers
