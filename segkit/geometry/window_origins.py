"""The sliding window along one axis."""

from __future__ import annotations

import numpy as np


def window_origins(size: int, patch: int, stride: int) -> np.ndarray:
    """Return the origins of a sliding window along one axis; the last window ends at the border.

    Args:
        size: Length of the axis [px], at least ``patch``.
        patch: Length of the window [px].
        stride: Step of the window [px].

    Returns:
        Increasing int64 array that starts at 0 and ends at ``size - patch``.

    Raises:
        ValueError: If ``patch`` is not in 1..``size``, or ``stride`` is not positive.

    Example:
        >>> window_origins(10, 4, 3)
        array([0, 3, 6])
        >>> window_origins(11, 4, 3)
        array([0, 3, 6, 7])
    """
    if not (0 < patch <= size and stride > 0):
        raise ValueError(
            f"`patch` must be in 1..size and `stride` positive [px]. "
            f"Received: size={size}, patch={patch}, stride={stride}"
        )
    origins = np.arange(0, size - patch + 1, stride)
    return origins if origins[-1] == size - patch else np.append(origins, size - patch)
