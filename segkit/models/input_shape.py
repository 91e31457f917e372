"""The shape of the input that a network is built for."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

_AXES = {1: "(x, channels)", 2: "(y, x, channels)", 3: "(z, y, x, channels)"}


def check_input_shape(input_shape: Sequence[int | None], axes: int = 2) -> None:
    """Refuse what is no shape of an input.

    Args:
        input_shape: Sizes, ``None`` where one is not fixed, then the number of channels.
        axes: Number of spatial axes.

    Raises:
        ValueError: If there is another number of axes, a size is no positive whole number, or the number of channels is
            unknown.
    """
    is_shape = isinstance(input_shape, (list, tuple)) and len(input_shape) == axes + 1
    if not is_shape or not all(size is None or _is_size(size) for size in input_shape) or input_shape[-1] is None:
        raise ValueError(
            f"`input_shape` must be {_AXES[axes]}: positive whole numbers, or None for a size that is not fixed, and a "
            f"known number of channels. Received: input_shape={input_shape!r}"
        )


def _is_size(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value > 0
