"""A grey stack that is coloured slice by slice as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from segkit.preprocessing.colorings import Coloring, in_16_bits


class ColoredStack:
    """Slices of a stack in three channels.

    Read one after the other, slices share what is known of their neighbours; in any other order every slice is
    coloured by itself. Nothing is kept.

    Args:
        stack: Grey values, ``(z, y, x)``; read by slices.
        coloring: How they are coloured.

    Attributes:
        shape: ``(z, y, x, 3)``.
    """

    def __init__(self, stack: Any, coloring: Coloring) -> None:
        self._stack = stack
        self._coloring = coloring
        self._stream: Iterator[np.ndarray] = iter(())
        self._next = -1
        self.shape = (*stack.shape, 3)

    def read(self, z: int) -> np.ndarray:
        """Return slice ``z``, 16 bits with ``WHITE`` for 1, ``(y, x, 3)``."""
        if z != self._next:
            # A generator: nothing is coloured before it is asked for.
            self._stream = self._coloring.color(self._stack, range(z, self._stack.shape[0]))
        self._next = z + 1
        return in_16_bits(next(self._stream))
