"""Overlapping squares that cover a slice, for networks that resize each to their own size."""

from __future__ import annotations

from collections.abc import Sequence


def square_windows(shape: Sequence[int], counts: Sequence[int]) -> tuple[tuple[int, list[int]], ...]:
    """Return length and origins of the windows along every axis.

    The side is the smallest with which that many squares cover both axes; where it is longer than an axis, the axis
    has one window of its own length. Origins are spread evenly.

    Args:
        shape: Extent of the slice ``(y, x)`` [px].
        counts: Number of squares along y and x, positive.

    Returns:
        ``(length, [origin, ...])`` for y and x [px].

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3: six squares of a slice of 1745 x 2440 px, not specified
        further; 2 x 3 of 873 px here.

    Example:
        >>> square_windows((1745, 2440), (2, 3))
        ((873, [0, 872]), (873, [0, 784, 1567]))
    """
    side = max(-(-size // count) for size, count in zip(shape, counts, strict=True))
    axes = []
    for size in shape:
        length = min(side, size)
        count = -(-size // length)
        # The last origin is size - length, whatever the count; one window starts at 0.
        axes.append((length, [round(i * (size - length) / max(count - 1, 1)) for i in range(count)]))
    return tuple(axes)
