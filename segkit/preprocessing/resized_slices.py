"""Slices at the one size that a network computes at."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from segkit.geometry.square_windows import square_windows
from segkit.preprocessing.colorings import Coloring, in_16_bits


def resized(image: np.ndarray, size_px: int) -> np.ndarray:
    """Resize an image to a square, bilinearly, averaging where it becomes smaller.

    The sums of ``segkit.ops.resize_bilinear``, without a backend: pipelines run in threads of their own.

    Args:
        image: ``(y, x)`` or ``(y, x, channels)``, any real type.
        size_px: Side of the result [px].

    Returns:
        float32, ``(size_px, size_px)`` or with channels.
    """
    if image.ndim == 3:
        return np.stack([resized(image[..., channel], size_px) for channel in range(image.shape[-1])], axis=-1)
    # Pillow resizes float32 images of one channel.
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.BILINEAR))


class ResizedSlices:
    """An array of slices, or of windows of them, each made when it is first read and kept from then on.

    Args:
        count: Number of slices.
        windows: Windows of a slice as index expressions ``(y, x)``; a slice's windows follow each other.
        size_px: Side of the results [px].
        channels: Channels of an image; ``None`` for masks, ``(y, x)`` alone.
        dtype: Type that is kept.
        make: Called with the index of a slice; returns it whole, as ``finish`` takes it.
        finish: Called with that and a window; returns what is kept of it, ``(size_px, size_px)`` or with channels.

    Attributes:
        shape: ``(count * windows, size_px, size_px)``, images with channels behind.
        dtype: Type of the elements.
    """

    def __init__(
        self,
        count: int,
        windows: Sequence[tuple[slice, slice]],
        size_px: int,
        *,
        channels: int | None,
        dtype: Any,
        make: Callable[[int], Any],
        finish: Callable[[Any, tuple[slice, slice]], np.ndarray],
    ) -> None:
        self.dtype = np.dtype(dtype)
        extent = (size_px, size_px) if channels is None else (size_px, size_px, channels)
        self.shape = (count * len(windows), *extent)
        self.ndim = len(self.shape)
        self._windows, self._make, self._finish = list(windows), make, finish
        self._kept = np.zeros(self.shape, self.dtype)  # takes memory as it is filled
        self._is_known = np.zeros(count, bool)

    def __len__(self) -> int:
        """Number of slices, or of windows of them."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part of one slice, ``[i]`` or ``[i, y, x]`` with slices for y and x."""
        number, *rest = index if isinstance(index, tuple) else (index,)
        # All windows of a slice are made together, as colouring it is what takes the time.
        z = number // len(self._windows)
        if not self._is_known[z]:  # two threads may both make it, and write the same
            whole = self._make(z)
            for place, window in enumerate(self._windows):
                self._kept[z * len(self._windows) + place] = self._finish(whole, window)
            self._is_known[z] = True
        return self._kept[(number, *rest)]


def colored_slices(
    stack: Any, coloring: Coloring, size_px: int, windows: Sequence[tuple[slice, slice]] = ((slice(None),) * 2,)
) -> ResizedSlices:
    """Return a stack's coloured slices at one size, 16 bits, ``WHITE`` for 1.

    Args:
        stack: Grey values, ``(z, y, x)``.
        coloring: How they are coloured, before they are resized.
        size_px: Side of the results [px].
        windows: Windows of a slice.
    """

    def make(z: int) -> np.ndarray:
        (image,) = coloring.color(stack, [z])
        return image

    def finish(image: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        return in_16_bits(resized(image[window], size_px))

    return ResizedSlices(stack.shape[0], windows, size_px, channels=3, dtype=np.uint16, make=make, finish=finish)


def cut_windows(shape: Sequence[int], windows: Sequence[int] | None) -> list[tuple[slice, slice]]:
    """Return the windows of a slice as index expressions; the whole slice where there are none.

    Args:
        shape: Extent of the slice ``(y, x)`` [px].
        windows: Number of squares along y and x; ``None`` for whole slices.
    """
    if windows is None:
        return [(slice(None), slice(None))]
    spans = [[slice(o, o + length) for o in origins] for length, origins in square_windows(shape, windows)]
    return list(itertools.product(*spans))
