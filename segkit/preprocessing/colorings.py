"""What a network of three channels is given for a grey slice: ways to choose from, and how a card names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Protocol

import numpy as np

from segkit.preprocessing.pseudocolor import Pseudocoloring, stretched
from segkit.registry import Registry

COLORINGS = Registry("colouring", {})
"""Kinds of colourings by name; ``COLORINGS.register("name")`` above a frozen dataclass adds one."""

COLORINGS.register("pseudocolor")(Pseudocoloring)

WHITE = 65535
"""Value of 1 in the 16 bits that coloured slices are kept in."""


def in_16_bits(image: np.ndarray) -> np.ndarray:
    """Return colours from 0 to 1 as uint16 with ``WHITE`` for 1: what networks are trained on and predict from."""
    return np.round(np.clip(image, 0, 1) * WHITE).astype(np.uint16)


class Coloring(Protocol):
    """A way to make three channels of the slices of a stack.

    Attributes:
        looks_along_z: Colours depend on neighbouring slices, and with them on their distance.
    """

    looks_along_z: bool

    def color(self, stack: Any, slices: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the slices of a stack ``(z, y, x)`` as float32 in [0, 1], ``(y, x, 3)``."""


@COLORINGS.register("grey")
@dataclasses.dataclass(frozen=True)
class GreyTriple:
    """The slice itself three times, brought to [0, 1]: no context."""

    looks_along_z: ClassVar[bool] = False

    def color(self, stack: Any, slices: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the slices of a stack ``(z, y, x)`` as float32 in [0, 1], ``(y, x, 3)``."""
        for z in slices:
            yield np.repeat(stretched(np.asarray(stack[z]))[..., None], 3, axis=-1)


@COLORINGS.register("neighbours")
@dataclasses.dataclass(frozen=True)
class NeighbourStack:
    """The slices before, at and after as red, green and blue, brought to [0, 1] together.

    Beyond the first and last slice stands the darkest value of the slice.
    """

    looks_along_z: ClassVar[bool] = True

    def color(self, stack: Any, slices: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the slices of a stack ``(z, y, x)`` as float32 in [0, 1], ``(y, x, 3)``."""
        for z in slices:
            current = np.asarray(stack[z])
            dark = np.full_like(current, current.min())
            sides = [np.asarray(stack[side]) if 0 <= side < stack.shape[0] else dark for side in (z - 1, z + 1)]
            # (y, x, 3), stretched together, so that the three keep their brightness relative to each other.
            yield stretched(np.stack([sides[0], current, sides[1]], axis=-1))
