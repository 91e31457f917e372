"""Which of the types a format knows can hold a volume's values unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError

# Above this a float32 no longer holds every integer.
_FLOAT32_INTEGERS = 2**24


def stored_dtype(
    dtype: np.dtype,
    known: Sequence[str],
    value_range: Callable[[], tuple[float, float]],
    *,
    target: str,
    remedy: str,
) -> np.dtype:
    """Choose the type in which values are written.

    A known type stays as it is. Integers and booleans otherwise take the first known integer type that holds
    their range, and failing that float32 where it is exact; float16 and float64 become float32.

    Args:
        dtype: Type of the values.
        known: Names of the types of the format, the preferred integers first.
        value_range: Gives the smallest and largest value; only called where it matters.
        target: What is written, for the message.
        remedy: What the user can do instead, for the message.

    Returns:
        The type to write, native byte order.

    Raises:
        InputError: If no known type holds the values.
    """
    dtype = np.dtype(dtype).newbyteorder("=")
    if dtype.name in known:
        return dtype
    if dtype.kind in "biu":
        low, high = (0, 1) if dtype.kind == "b" else value_range()
        for name in known:
            if np.dtype(name).kind in "iu" and np.iinfo(name).min <= low and high <= np.iinfo(name).max:
                return np.dtype(name)
        if "float32" in known and max(-low, high) <= _FLOAT32_INTEGERS:
            return np.dtype(np.float32)
        found = f"{dtype} values from {low} to {high}"
    elif dtype.kind == "f" and "float32" in known:
        # Negated, so that the range of a volume without finite values, NaN, passes.
        if dtype.itemsize <= 4 or not max(map(abs, value_range())) > float(np.finfo(np.float32).max):
            return np.dtype(np.float32)
        found = f"{dtype} values beyond float32"
    else:
        found = f"{dtype} values"
    raise InputError(f"{target}: found {found}, expected what fits {', '.join(known)}; {remedy}")
