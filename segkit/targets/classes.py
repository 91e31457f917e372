"""Several classes that exclude each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from segkit.targets.foreground import look_up, pixel_kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassTarget:
    """The class of every pixel, as one channel, and weight 1.

    Attributes:
        num_classes: Number of classes, background among them, from 2 to 255.
        ignore_value: Label of unannotated pixels, which weigh 0.
    """

    num_classes: int
    ignore_value: int | None = None
    channels: ClassVar[int] = 1
    nearest: ClassVar[tuple[bool, ...]] = (True,)

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return class and weight of labels 0, 1, 2, ..., any shape."""
        (labels,) = parts
        # Rows (class, weight) by class, and a last one for unannotated pixels.
        pairs = np.ones((self.num_classes + 1, 2), np.float32)
        pairs[:, 0] = range(self.num_classes + 1)
        pairs[-1] = 0  # unknown
        # Two classes are 0 and everything else, as in a mask.
        return look_up(pixel_kinds(labels, self.ignore_value, self.num_classes), pairs, out)
