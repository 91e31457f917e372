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


def targets_and_weights(mask: np.ndarray, *, limit: float | None, ignore_value: int | None = None) -> np.ndarray:
    """Return target and weight of every pixel of a patch.

    Args:
        mask: Whole numbers, shape ``(y, x)``: 0 is background, anything else foreground, except ``ignore_value``.
        limit: As in ``foreground_weight``.
        ignore_value: Mask value of pixels that nobody annotated: target 0, weight 0.

    Returns:
        float32, shape ``(y, x, 2)``: target in {0, 1}, weight not negative.
    """
    kind = (mask != 0).view(np.uint8)
    foreground = int(np.count_nonzero(kind))
    ignored = 0
    if ignore_value is not None:
        unknown = mask == ignore_value
        ignored = int(np.count_nonzero(unknown))
        foreground -= ignored if ignore_value != 0 else 0
        kind = np.where(unknown, np.uint8(2), kind)
    weight = foreground_weight(foreground, mask.size - foreground - ignored, limit)
    table = np.array([[0, 1], [1, weight], [0, 0]], np.float32)
    # One look-up of 8-byte pairs is several times faster than filling the two channels.
    return table.view(np.int64).ravel().take(kind).view(np.float32).reshape(*mask.shape, 2)
