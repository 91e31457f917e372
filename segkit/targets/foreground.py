"""Foreground against background, with adaptive sample-wise weights: rare foreground counts for more in its patch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np


def foreground_weight(foreground: int, background: int, limit: float | None) -> float:
    """Return the weight of a patch's foreground pixels, ``min(B / F, limit)``.

    Args:
        foreground: Foreground pixels ``F`` of the patch.
        background: Background pixels ``B`` of the patch.
        limit: Upper bound of the weight; ``None`` for no weighting at all.

    Returns:
        The weight; 1 without weighting, and 1 for a patch of one class only, which has nothing to balance (B/F would
        leave a patch that is all foreground out altogether).

    Reference:
        Zhang et al. (2019), SegET, Sec. 3.2.

    Example:
        >>> foreground_weight(4, 12, 2000.0), foreground_weight(1, 9999, 2000.0)
        (3.0, 2000.0)
    """
    if limit is None or foreground == 0 or background == 0:
        return 1.0
    return float(min(background / foreground, limit))


BACKGROUND, FOREGROUND, UNKNOWN = 0, 1, 255
"""Kinds of pixels of a painted mask; with several classes the kind is the class, and only 0 and 255 have a name."""


def pixel_kinds(mask: np.ndarray, ignore_value: int | None = None, num_classes: int = 2) -> np.ndarray:
    """Return the kind of every pixel of a mask or label image.

    Args:
        mask: Painted values, any shape. Two classes: 0 is background, anything else foreground. More: the class.
        ignore_value: Value of unannotated pixels.
        num_classes: Number of classes, background among them, at most 255.

    Returns:
        uint8 of the same shape: ``BACKGROUND``, ``FOREGROUND`` or ``UNKNOWN``; with more classes the class, or
        ``UNKNOWN``.
    """
    kinds = (mask != 0).view(np.uint8) if num_classes == 2 else mask.astype(np.uint8)
    return kinds if ignore_value is None else np.where(mask == ignore_value, np.uint8(UNKNOWN), kinds)


def look_up(kinds: np.ndarray, pairs: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return target and weight of every pixel from a table with a row for each kind.

    Args:
        kinds: As ``pixel_kinds`` gives them, any shape.
        pairs: Target and weight of each kind, float32 ``(kinds, 2)``, those of ``UNKNOWN`` in the last row.
        out: Where to write, contiguous float32 ``(*kinds.shape, 2)``; a new array by default.

    Returns:
        float32, shape ``(*kinds.shape, 2)``.
    """
    out = np.empty((*kinds.shape, 2), np.float32) if out is None else out
    # One look-up of 8-byte pairs is faster than filling the two channels; "clip" takes 255 to the last row, and writes
    # to `out` without a copy.
    np.take(pairs.view(np.int64).ravel(), kinds, out=out.view(np.int64)[..., 0], mode="clip")
    return out


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForegroundTarget:
    """Target 1 on foreground and 0 on background; foreground weighs ``min(B / F, weight_limit)`` in its own patch.

    Attributes:
        weight_limit: Bound of the weights, positive; ``None`` for no weighting.
        ignore_value: Mask value of unannotated pixels, which weigh 0.

    Raises:
        ValueError: If ``weight_limit`` is not positive.

    Reference:
        Zhang et al. (2019), SegET, Sec. 3.2.
    """

    weight_limit: float | None = None
    ignore_value: int | None = None
    channels: ClassVar[int] = 1
    nearest: ClassVar[tuple[bool, ...]] = (True,)

    def __post_init__(self) -> None:
        if self.weight_limit is not None and not self.weight_limit > 0:
            raise ValueError(f"`weight_limit` must be positive, or None. Received: weight_limit={self.weight_limit!r}")

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return target and weight of a mask, any shape: not zero is foreground."""
        (mask,) = parts
        kinds = pixel_kinds(mask, self.ignore_value)
        # Rows (target, weight) of background, foreground and unannotated pixels.
        pairs = np.array([[0, 1], [1, 1], [0, 0]], np.float32)
        if self.weight_limit is not None:
            foreground = int(np.count_nonzero(kinds == FOREGROUND))
            # Background is the only kind that is 0; unannotated pixels are 255.
            background = kinds.size - int(np.count_nonzero(kinds))
            pairs[FOREGROUND, 1] = foreground_weight(foreground, background, self.weight_limit)
        return look_up(kinds, pairs, out)
