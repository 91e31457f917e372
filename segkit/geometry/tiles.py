"""Cutting an image or a volume into overlapping tiles of one shape, and the share each has in the result."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from segkit.geometry.per_axis import PerAxis, along_axes
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
        reach: What is read along each axis; it may end beyond the array, which is then padded.
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
        """Number of pixels the network sees for one array, halos included."""
        return len(self) * math.prod(self.tile_shape)

    def __len__(self) -> int:
        return math.prod(map(len, self.windows))

    def __iter__(self) -> Iterator[tuple[Window, ...]]:
        return itertools.product(*self.windows)


def smallest_tile_px(shape: Sequence[int], *, multiple: PerAxis, halo: PerAxis) -> int:
    """Return the number of pixels of the smallest tile that ``plan_tiles`` can use for an array.

    Args:
        shape: As ``plan_tiles`` takes it.
        multiple: Likewise.
        halo: Likewise.
    """
    multiples, halos = (along_axes(*given, len(shape)) for given in (("multiple", multiple), ("halo", halo)))
    sizes = zip(shape, multiples, halos, strict=True)
    return math.prod(min(_up(size, multiple), _up(2 * halo, multiple) + multiple) for size, multiple, halo in sizes)


def plan_tiles(
    shape: Sequence[int],
    *,
    multiple: PerAxis,
    halo: PerAxis,
    exact: bool,
    max_px: int | None = None,
    tile_px: PerAxis | None = None,
    wanted: Sequence[Span] | None = None,
) -> TilePlan:
    """Cover a region of an array by tiles of one shape, reading as few pixels as possible.

    The array is thought of as padded at its far ends to multiples of ``multiple``. Tiles at the border of the
    padded array end there and reach further inwards instead: so all have one shape (a compiled function is
    traced once), and a network that pads its convolutions by zeros sees the border of the array exactly where
    it would see it in the whole array. Every pixel is taken from a tile in which it is at least ``halo``
    from the tile's inner borders.

    Args:
        shape: Extent of the array along each axis [px].
        multiple: What the network's input must be divisible by, one number or one per axis; origins of tiles are
            multiples of it.
        halo: Context a pixel needs on every side [px], one number or one per axis.
        exact: ``True``: each pixel comes from one tile. ``False``: neighbours fade into each other, linearly
            in the middle of their overlap, which hides that they differ.
        max_px: Number of pixels a tile may have; no bound by default.
        tile_px: Side of the tiles [px], one number or one per axis, rounded up to ``multiple``; overrides the search
            for the best shape.
        wanted: Region to be covered, ``(start, stop)`` per axis; the array by default.

    Returns:
        The plan.

    Raises:
        ValueError: If no tile within ``max_px``, or of ``tile_px``, leaves anything inside its halo.
    """
    wanted = tuple(wanted) if wanted is not None else tuple((0, size) for size in shape)
    multiples, halos = (along_axes(*given, len(shape)) for given in (("multiple", multiple), ("halo", halo)))
    # Widen the region by its context, choose the extent of the tiles, spread them over every axis.
    reach = tuple(itertools.starmap(_reach, zip(wanted, shape, multiples, halos, strict=True)))
    axes = [
        _Axis(extent=stop - start, overlap=_up(2 * halo, multiple), multiple=multiple)
        for (start, stop), multiple, halo in zip(reach, multiples, halos, strict=True)
    ]
    if tile_px is not None:
        sides = along_axes("tile_px", tile_px, len(shape))
        lengths = [min(_up(side, axis.multiple), axis.extent) for side, axis in zip(sides, axes, strict=True)]
        for length, axis in zip(lengths, axes, strict=True):
            # A single tile over the whole extent has no inner border, and needs no halo there.
            if length <= axis.overlap and length < axis.extent:
                raise ValueError(
                    f"`tile_px` must be more than {axis.overlap} px (two halos). Received: tile_px={tile_px!r}"
                )
    else:
        lengths = _best_lengths(axes, max_px)
    windows = tuple(
        _axis_windows(span, axis.starts(ends[0], length), length, exact)
        for span, ends, axis, length in zip(wanted, reach, axes, lengths, strict=True)
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


def _reach(span: Span, size: int, multiple: int, halo: int) -> Span:
    """Widen a span by its context, to multiples, as far as the padded axis goes."""
    start, stop = span
    # The start is rounded down and the stop up: both lie on the grid of the network's strides.
    return max(0, (start - halo) // multiple * multiple), min(_up(size, multiple), _up(stop + halo, multiple))


@dataclasses.dataclass(frozen=True)
class _Axis:
    """What is read along one axis, how far neighbouring windows overlap at least, and what all is a multiple of."""

    extent: int
    overlap: int
    multiple: int

    def count(self, length: int) -> int:
        """Return how many windows of a length cover the axis."""
        # n windows cover n * (length - overlap) + overlap.
        return 1 if length >= self.extent else -(-(self.extent - self.overlap) // (length - self.overlap))

    def evenly(self, count: int) -> int:
        """Return the length with which a number of windows cover the axis."""
        # The equation of `count`, solved for the length.
        return _up(-(-(self.extent + self.overlap * (count - 1)) // count), self.multiple)

    def candidates(self) -> list[int]:
        """Return lengths that cover the axis evenly, longest first: by any number of windows up to 16, by some
        beyond."""
        most = max(1, -(-(self.extent - self.overlap) // self.multiple))
        counts, count = {most}, 1
        while count < most:
            counts.add(count)
            # In steps of a sixteenth: axes of thousands of windows still have few candidates.
            count += 1 + count // 16
        return sorted(set(map(self.evenly, counts)), reverse=True)

    def starts(self, first: int, length: int) -> list[int]:
        """Spread windows evenly over the axis, which begins at ``first``; each starts at a multiple."""
        count = self.count(length)
        # The start of the last window, in multiples.
        slack = (self.extent - length) // self.multiple
        return [first + (i * slack // (count - 1) * self.multiple if count > 1 else 0) for i in range(count)]


def _best_lengths(axes: list[_Axis], max_px: int | None) -> list[int]:
    """Choose the shape within ``max_px`` that reads the fewest pixels; of equal ones, the fewest tiles."""
    extents = [axis.extent for axis in axes]
    if max_px is None or math.prod(extents) <= max_px:
        return extents
    *others, last = axes
    best = None
    for lengths in itertools.product(*(axis.candidates() for axis in others)):
        # The longest that the last axis may be beside these.
        room = max_px // math.prod(lengths) // last.multiple * last.multiple
        # The other axes leave the last one nothing beyond two halos.
        if room < last.extent and room <= last.overlap:
            continue
        # As many windows as `room` demands, no longer than they need to be.
        chosen = [*lengths, last.evenly(last.count(min(room, last.extent)))]
        tiles = math.prod(axis.count(length) for axis, length in zip(axes, chosen, strict=True))
        cost = (tiles * math.prod(chosen), tiles)
        if best is None or cost < best[0]:
            best = cost, chosen
    if best is None:
        overlaps = [axis.overlap for axis in axes]
        overlaps = overlaps[0] if len(set(overlaps)) == 1 else " x ".join(map(str, overlaps))
        raise ValueError(f"`max_px` must hold a tile wider than two halos ({overlaps} px). Received: max_px={max_px!r}")
    return best[1]


def _axis_windows(wanted: Span, starts: list[int], length: int, exact: bool) -> tuple[Window, ...]:
    shares = _split(starts, length) if exact else _fade(starts, length)
    windows = []
    for start, share in zip(starts, shares, strict=True):
        # Clipped to the region; windows without a pixel of it are left out.
        used = np.flatnonzero(share)
        low, high = max(start + int(used[0]), wanted[0]), min(start + int(used[-1]) + 1, wanted[1])
        if low < high:
            windows.append(Window(start, length, (low, high), share[low - start : high - start]))
    return tuple(windows)


def _split(starts: list[int], length: int) -> list[np.ndarray]:
    """Give each pixel to one window; neighbours part in the middle of their overlap."""
    # The middle between the start of the later window and the end of the earlier one.
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
    # Where more than two windows overlap, the products do not sum to 1.
    total = np.zeros(starts[-1] + length - starts[0])
    for start, share in zip(starts, raw, strict=True):
        total[start - starts[0] :][:length] += share
    return [
        (share / total[start - starts[0] :][:length]).astype(np.float32)
        for start, share in zip(starts, raw, strict=True)
    ]
