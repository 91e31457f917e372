"""What every target offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Target(Protocol):
    """Makes target and weight of the annotation of a patch, after the patch has been augmented.

    Any object with these attributes will do, of segkit or of your own.

    Attributes:
        channels: Channels of the target, the weight not counted.
        nearest: For every part of the annotation, whether it holds labels, which take the nearest value where a patch
            is deformed, or values that are interpolated.

    Example:
        >>> from segkit.targets.foreground import ForegroundTarget
        >>> ForegroundTarget(weight_limit=10.0)([np.array([[0, 0, 0, 7]])])[0].tolist()
        [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 3.0]]
    """

    channels: int
    nearest: tuple[bool, ...]

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return target and weight.

        Args:
            parts: The annotation of the patch: one array or several, each ``(*patch_shape)`` or with channels behind.
            out: Where the result may be written, contiguous float32 of its shape, and returned; a new array by default.

        Returns:
            float32, shape ``(*patch_shape, channels + 1)``. The last channel is the weight: not negative, and 0 where
            nothing is known.
        """
