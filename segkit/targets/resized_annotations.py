"""Masks and heatmaps of centres at the one size that a network computes at."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from segkit.preprocessing.resized_slices import ResizedSlices, resized


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
        ignore_value: Value of unannotated pixels; the result has the value 255 where they make up half.
    """

    def make(z: int) -> np.ndarray:
        values = np.asarray(labels[z])
        unknown = np.zeros(values.shape, bool) if ignore_value is None else values == ignore_value
        # (y, x, 2): objects and unannotated pixels, which resizing turns into their shares of a pixel.
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
        runs: First slice of every run, and the one after its last: centres are those of the cells as they are inside
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
        # 255 at centres alone: `HeatmapFocal` recognises them by the value 1, to which nothing else may be rounded.
        return np.where(heat >= 1, 255, np.minimum(heat * 255, 254)).astype(np.uint8)

    return ResizedSlices(labels.shape[0], windows, size_px, channels=None, dtype=np.uint8, make=make, finish=finish)
