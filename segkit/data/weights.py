"""Adaptive sample-wise weights: foreground counts by how rare it is in its very patch."""

from __future__ import annotations

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


BACKGROUND, FOREGROUND, UNKNOWN = 0, 1, 2
"""Kinds of pixels of a painted mask."""


def pixel_kinds(mask: np.ndarray, ignore_value: int | None = None) -> np.ndarray:
    """Return the kind of every pixel of a mask.

    Args:
        mask: Painted values, any shape: 0 is background, anything else foreground, except ``ignore_value``.
        ignore_value: Value of pixels that nobody annotated.

    Returns:
        uint8 of the same shape: ``BACKGROUND``, ``FOREGROUND`` or ``UNKNOWN``.
    """
    kinds = (mask != 0).view(np.uint8)
    return kinds if ignore_value is None else np.where(mask == ignore_value, np.uint8(UNKNOWN), kinds)


def targets_and_weights(kinds: np.ndarray, *, limit: float | None, out: np.ndarray | None = None) -> np.ndarray:
    """Return target and weight of every pixel of a patch.

    Args:
        kinds: As ``pixel_kinds`` gives them, shape ``(y, x)``.
        limit: As in ``foreground_weight``.
        out: Where to write, contiguous float32 ``(y, x, 2)``; a new array by default.

    Returns:
        float32, shape ``(y, x, 2)``: target in {0, 1}, weight not negative, 0 where the pixel is unknown.
    """
    foreground = int(np.count_nonzero(kinds == FOREGROUND))
    background = kinds.size - int(np.count_nonzero(kinds))
    weight = foreground_weight(foreground, background, limit)
    table = np.array([[0, 1], [1, weight], [0, 0]], np.float32)
    out = np.empty((*kinds.shape, 2), np.float32) if out is None else out
    # One look-up of 8-byte pairs is faster than filling the two channels; "clip" writes to `out` without a copy.
    np.take(table.view(np.int64).ravel(), kinds, out=out.view(np.int64)[..., 0], mode="clip")
    return out
