"""Coloured slices and their masks at the one size that a network computes at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from segkit.data.colorings import Coloring

WHITE = 65535
"""Value of 1 in the 16 bits that coloured slices are kept in."""


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

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part of one slice, ``[i]`` or ``[i, y, x]`` with slices for y and x."""
        number, *rest = index if isinstance(index, tuple) else (index,)
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
        return np.round(np.clip(resized(image[window], size_px), 0, 1) * WHITE).astype(np.uint16)

    return ResizedSlices(stack.shape[0], windows, size_px, channels=3, dtype=np.uint16, make=make, finish=finish)


def mask_slices(
    labels: Any,
    size_px: int,
    windows: Sequence[tuple[slice, slice]] = ((slice(None),) * 2,),
    *,
    ignore_value: int | None = None,
) -> ResizedSlices:
    """Return where the objects of a stack are, at one size: 1 where they take half of a pixel or more, uint8.

    Args:
        labels: Ids or a mask, ``(z, y, x)``; not zero is an object.
        size_px: Side of the results [px].
        windows: Windows of a slice.
        ignore_value: Value of pixels that nobody annotated; the result has the value 255 where they take half.
    """

    def make(z: int) -> np.ndarray:
        values = np.asarray(labels[z])
        unknown = np.zeros(values.shape, bool) if ignore_value is None else values == ignore_value
        return np.stack([(values != 0) & ~unknown, unknown], axis=-1).astype(np.float32)

    def finish(parts: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        shares = resized(parts[window], size_px)
        return np.where(shares[..., 1] >= 0.5, 255, shares[..., 0] >= 0.5).astype(np.uint8)

    return ResizedSlices(labels.shape[0], windows, size_px, channels=None, dtype=np.uint8, make=make, finish=finish)


def heatmap_slices(
    labels: Any,
    size_px: int,
    windows: Sequence[tuple[slice, slice]] = ((slice(None),) * 2,),
    *,
    voxel_size: Sequence[float],
    runs: Sequence[tuple[int, int]] | None = None,
) -> ResizedSlices:
    """Return the heatmaps of a stack's cell centres at one size, uint8, 255 for 1 and at centres alone.

    Args:
        labels: Ids, ``(z, y, x)``; a run is read whole when the first slice of it is.
        size_px: Side of the results [px].
        windows: Windows of a slice.
        voxel_size: Extent of a voxel along ``(z, y, x)`` [any unit].
        runs: First slice of every run, and the one after its last: centres are those of the cells as they lie inside
            one run, and nothing is known of other slices. A run of one slice has the centres of its cross-sections. The
            whole stack by default.

    Raises:
        KeyError: When a slice outside of all runs is read.
    """
    # Here, not above: SciPy takes longer to load than all else that other networks' data need.
    from segkit.instances.cell_centers import CellCenters, find_centers, find_centers_of_slices, render_heatmap

    spans = [(0, labels.shape[0])] if runs is None else runs
    run_of = {z: span for span in spans for z in range(*span)}
    known: dict[tuple[int, int], CellCenters] = {}
    lock = threading.Lock()

    def centers(span: tuple[int, int]) -> CellCenters:
        with lock:  # pipelines ask from several threads
            if span not in known:
                part = np.stack([np.asarray(labels[z]) for z in range(*span)])
                find = find_centers_of_slices if len(part) == 1 else find_centers
                known[span] = find(part, voxel_size=voxel_size)
        return known[span]

    def make(z: int) -> int:
        return z

    def finish(z: int, window: tuple[slice, slice]) -> np.ndarray:
        place = [slice(*part.indices(size)[:2]) for part, size in zip(window, labels.shape[1:], strict=True)]
        span = run_of[z]
        heat = render_heatmap(centers(span), z - span[0], tuple(place), size_px, voxel_size=voxel_size)
        return np.where(heat >= 1, 255, np.minimum(heat * 255, 254)).astype(np.uint8)

    return ResizedSlices(labels.shape[0], windows, size_px, channels=None, dtype=np.uint8, make=make, finish=finish)
