"""Cutting a slice into overlapping tiles of one shape, and the share each has in the result."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from segkit.geometry.square_windows import square_windows

Span = tuple[int, int]
"""``(start, stop)`` along one axis [px]."""

_FADED_PX = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
    """What one tile covers along one axis.

    Attributes:
        start: First pixel it reads, on the padded axis; a multiple of the network's stride.
        length: Number of pixels it reads.
        kept: Span of pixels of the axis it contributes to.
        weights: Its share in each of them, float32; over all windows they sum to 1.
    """

    start: int
    length: int
    kept: Span
    weights: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class TilePlan:
    """Tiles of one shape that cover a region, of any number of axes.

    Attributes:
        windows: The windows of each axis; a tile is one window of every axis.
        reach: What is read along each axis; it may end beyond the slice, which is then padded.
        wanted: The region that is covered.
    """

    windows: tuple[tuple[Window, ...], ...]
    reach: tuple[Span, ...]
    wanted: tuple[Span, ...]

    @property
    def tile_shape(self) -> tuple[int, ...]:
        """Extent of every tile [px]."""
        return tuple(axis[0].length for axis in self.windows)

    @property
    def read_px(self) -> int:
        """Number of pixels the network sees for one slice, halos included."""
        return len(self) * math.prod(self.tile_shape)

    def __len__(self) -> int:
        return math.prod(map(len, self.windows))

    def __iter__(self) -> Iterator[tuple[Window, ...]]:
        return itertools.product(*self.windows)


def smallest_tile_px(shape: Sequence[int], *, multiple: int, halo: int) -> int:
    """Return the number of pixels of the smallest tile that ``plan_tiles`` can use for a slice."""
    return math.prod(min(_up(size, multiple), _up(2 * halo, multiple) + multiple) for size in shape)


def plan_tiles(
    shape: Sequence[int],
    *,
    multiple: int,
    halo: int,
    exact: bool,
    max_px: int | None = None,
    tile_px: int | None = None,
    wanted: Sequence[Span] | None = None,
) -> TilePlan:
    """Cover a region of a slice by tiles of one shape, reading as few pixels as possible.

    The slice is thought of as padded at its far ends to multiples of ``multiple``. Tiles at the border of the
    padded slice end there and reach further inwards instead: so all have one shape (a compiled function is
    traced once), and a network that pads its convolutions by zeros sees the border of the slice exactly where
    it would see it in the whole slice. Every pixel is taken from a tile in which it lies at least ``halo``
    from the tile's inner borders.

    Args:
        shape: Extent of the slice [px].
        multiple: What the network's input must be divisible by; origins of tiles are multiples of it.
        halo: Context a pixel needs on every side [px].
        exact: ``True``: each pixel comes from one tile. ``False``: neighbours fade into each other, linearly
            in the middle of their overlap, which hides that they differ.
        max_px: Number of pixels a tile may have; no bound by default.
        tile_px: Side of the tiles [px], rounded up to ``multiple``; overrides the search for the best shape.
        wanted: Region to be covered, ``(start, stop)`` an axis; the slice by default.

    Returns:
        The plan.

    Raises:
        ValueError: If no tile within ``max_px``, or of ``tile_px``, leaves anything inside its halo.
    """
    wanted = tuple(wanted) if wanted is not None else tuple((0, size) for size in shape)
    reach = tuple(_reach(*span, size, multiple, halo) for span, size in zip(wanted, shape, strict=True))
    extents = [stop - start for start, stop in reach]
    overlap = _up(2 * halo, multiple)
    if tile_px is not None:
        lengths = [min(_up(tile_px, multiple), extent) for extent in extents]
        if any(length <= overlap and length < extent for length, extent in zip(lengths, extents, strict=True)):
            raise ValueError(f"`tile_px` must be more than {overlap} px (two halos). Received: tile_px={tile_px!r}")
    else:
        lengths = _best_lengths(extents, overlap, multiple, max_px)
    windows = tuple(
        _axis_windows(span, _starts(*ends, length, overlap, multiple), length, exact)
        for span, ends, length in zip(wanted, reach, lengths, strict=True)
    )
    return TilePlan(windows=windows, reach=reach, wanted=wanted)


def plan_windows(shape: Sequence[int], counts: Sequence[int], *, wanted: Sequence[Span] | None = None) -> TilePlan:
    """Cover a slice by the squares of ``square_windows``, which fade into each other.

    Args:
        shape: Extent of the slice ``(y, x)`` [px].
        counts: Number of squares along y and x, positive.
        wanted: Region to be covered; the slice by default.
    """
    whole = tuple((0, size) for size in shape)
    wanted = tuple(wanted) if wanted is not None else whole
    windows = tuple(
        _axis_windows(span, starts, length, exact=False)
        for span, (length, starts) in zip(wanted, square_windows(shape, counts), strict=True)
    )
    return TilePlan(windows=windows, reach=whole, wanted=wanted)


def clamped(start: int, stop: int, size: int) -> np.ndarray:
    """Return the indices that pad an axis by repeating its last pixel.

    The border is repeated and not mirrored because that works for every size, also where more is added than
    there is, and is the same few operations in NumPy and inside a served model.

    Args:
        start: First position, not negative.
        stop: Position behind the last; may lie beyond ``size``.
        size: Extent of the axis.
    """
    return np.minimum(np.arange(start, stop), size - 1)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _reach(start: int, stop: int, size: int, multiple: int, halo: int) -> Span:
    """Widen a span by its context, to multiples, as far as the padded axis goes."""
    return max(0, (start - halo) // multiple * multiple), min(_up(size, multiple), _up(stop + halo, multiple))


def _count(extent: int, length: int, overlap: int) -> int:
    """How many windows of one length, overlapping at least so much, cover an extent."""
    return 1 if length >= extent else -(-(extent - overlap) // (length - overlap))


def _best_lengths(extents: list[int], overlap: int, multiple: int, max_px: int | None) -> list[int]:
    """Choose the shape within ``max_px`` that reads the fewest pixels; of equal ones, the fewest tiles."""
    if max_px is None or math.prod(extents) <= max_px:
        return extents
    *others, last = extents
    best = None
    for lengths in itertools.product(*(_candidates(extent, overlap, multiple) for extent in others)):
        room = max_px // math.prod(lengths) // multiple * multiple
        if room < last and room <= overlap:
            continue
        length = _evenly(last, _count(last, min(room, last), overlap), overlap, multiple)
        chosen = [*lengths, length]
        tiles = math.prod(_count(e, n, overlap) for e, n in zip(extents, chosen, strict=True))
        cost = (tiles * math.prod(chosen), tiles)
        if best is None or cost < best[0]:
            best = cost, chosen
    if best is None:
        raise ValueError(f"`max_px` must hold a tile wider than two halos ({overlap} px). Received: max_px={max_px!r}")
    return best[1]


def _candidates(extent: int, overlap: int, multiple: int) -> list[int]:
    """Lengths that cover an extent evenly by a number of windows, longest first: by any up to 16, by some
    beyond."""
    most = max(1, -(-(extent - overlap) // multiple))
    counts, count = {most}, 1
    while count < most:
        counts.add(count)
        count += 1 + count // 16
    return sorted({_evenly(extent, count, overlap, multiple) for count in counts}, reverse=True)


def _evenly(extent: int, count: int, overlap: int, multiple: int) -> int:
    return _up(-(-(extent + overlap * (count - 1)) // count), multiple)


def _starts(first: int, last: int, length: int, overlap: int, multiple: int) -> list[int]:
    """Spread windows evenly from the first pixel to the last, starting at multiples."""
    count = _count(last - first, length, overlap)
    slack = (last - first - length) // multiple
    return [first + (i * slack // (count - 1) * multiple if count > 1 else 0) for i in range(count)]


def _axis_windows(wanted: Span, starts: list[int], length: int, exact: bool) -> tuple[Window, ...]:
    shares = _split(starts, length) if exact else _fade(starts, length)
    windows = []
    for start, share in zip(starts, shares, strict=True):
        used = np.flatnonzero(share)
        low, high = max(start + int(used[0]), wanted[0]), min(start + int(used[-1]) + 1, wanted[1])
        if low < high:
            windows.append(Window(start, length, (low, high), share[low - start : high - start]))
    return tuple(windows)


def _split(starts: list[int], length: int) -> list[np.ndarray]:
    """Give each pixel to one window; neighbours part in the middle of their overlap."""
    borders = [(after + before + length) // 2 for before, after in itertools.pairwise(starts)]
    lows, highs = [starts[0], *borders], [*borders, starts[-1] + length]
    position = np.arange(length)
    return [
        ((position + start >= low) & (position + start < high)).astype(np.float32)
        for start, low, high in zip(starts, lows, highs, strict=True)
    ]


def _fade(starts: list[int], length: int) -> list[np.ndarray]:
    """Let each window rise and fall linearly in the middle of its overlaps; all windows sum to 1
    everywhere."""
    raw = [np.ones(length) for _ in starts]
    for i, (before, after) in enumerate(itertools.pairwise(starts)):
        overlap = before + length - after
        # Half of the overlap at most: towards its ends one of the two has hardly any context.
        width = min(overlap // 2, _FADED_PX)
        position = np.arange(overlap) - (overlap - width) // 2 + 0.5
        ramp = np.clip(position / max(width, 1), 0, 1) if width else (position > 0).astype(float)
        raw[i + 1][:overlap] *= ramp
        raw[i][length - overlap :] *= 1 - ramp
    total = np.zeros(starts[-1] + length - starts[0])
    for start, share in zip(starts, raw, strict=True):
        total[start - starts[0] :][:length] += share
    return [
        (share / total[start - starts[0] :][:length]).astype(np.float32)
        for start, share in zip(starts, raw, strict=True)
    ]
