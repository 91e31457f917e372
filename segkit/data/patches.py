"""The table of patches with their foreground."""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from segkit.geometry.per_axis import PerAxis, along_axes, positive_per_axis
from segkit.geometry.window_origins import window_origins
from segkit.targets.foreground import BACKGROUND, FOREGROUND, pixel_kinds


@dataclasses.dataclass(frozen=True)
class PatchTable:
    """Patches of one or several volumes, one row per patch.

    Attributes:
        rows: int64, shape ``(patches, 4)``: volume, z, y, x of the first voxel.
        foreground: int64, shape ``(patches,)``: foreground pixels of each patch.
        background: int64, shape ``(patches,)``: background pixels of each patch; the rest is unannotated.
        patch_shape: Extent of the patches [px]: ``(y, x)`` for patches of slices, ``(z, y, x)`` for boxes.

    Raises:
        ValueError: If ``patch_shape`` has another number of entries, or one that is not positive.
    """

    rows: np.ndarray
    foreground: np.ndarray
    background: np.ndarray
    patch_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch_shape", tuple(self.patch_shape))
        if len(self.patch_shape) not in (2, 3) or min(self.patch_shape) < 1:
            raise ValueError(
                f"`patch_shape` must be two or three positive numbers [px]. Received: patch_shape={self.patch_shape!r}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def positive(self) -> np.ndarray:
        """Boolean, shape ``(patches,)``: the patch has foreground."""
        return self.foreground > 0

    def window(self, row: int) -> tuple[int | slice, ...]:
        """Return the index that cuts a patch out of its volume ``(z, y, x)``.

        Args:
            row: Row of the table.
        """
        _, *origin = self.rows[row].tolist()
        # A patch of a slice has z as an index, which drops the axis; a box has a span of it.
        depth = () if len(self.patch_shape) == 3 else (origin[0],)
        spans = zip(origin[len(depth) :], self.patch_shape, strict=True)
        return *depth, *(slice(start, start + length) for start, length in spans)

    def with_positive_copies(self, copies: int) -> PatchTable:
        """Return a table in which each patch with foreground stands ``copies`` more times.

        Reference:
            Zhang et al. (2019), SegET, Sec. 3.2: positive centriole patches are copied 4 times.
        """
        repeats = np.where(self.positive, 1 + copies, 1)
        return PatchTable(
            self.rows.repeat(repeats, axis=0),
            self.foreground.repeat(repeats),
            self.background.repeat(repeats),
            self.patch_shape,
        )

    def background_to_foreground(self) -> float:
        """Return the mean ratio B/F over the patches that have foreground; NaN if none has."""
        ratios = self.background[self.positive] / self.foreground[self.positive]
        return float(ratios.mean()) if ratios.size else float("nan")


def tabulate_patches(
    masks: Sequence[tuple[Any, Iterable[int]]],
    *,
    patch_shape: Sequence[int],
    stride: PerAxis,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PatchTable:
    """List the patches of chosen slices and count the foreground of each, reading every mask slice once.

    Boxes are within runs of consecutive chosen slices, so that they hold no slice that was not chosen; a run shorter
    than the box gives none.

    Args:
        masks: Pairs of a mask ``(z, y, x)``, not zero is foreground, and the indices of its slices to take.
        patch_shape: Extent of the patches [px]: ``(y, x)`` for patches of slices, ``(z, y, x)`` for boxes.
        stride: Step of the sliding window [px], one number or one per axis of ``patch_shape``.
        ignore_value: Mask value of unannotated pixels; a patch of nothing else is left out.
        progress: Called as ``progress(done, total)`` after each slice.

    Returns:
        Table in the order volume, z, y, x.

    Raises:
        ValueError: If ``patch_shape`` or ``stride`` are not whole numbers of these axes, ``masks`` are no pairs, a mask
            has other axes than (z, y, x) or is smaller than a patch, or a slice is outside of it.
    """
    shape = tuple(np.atleast_1d(patch_shape).tolist())
    if len(shape) not in (2, 3) or not all(isinstance(extent, int) for extent in shape):
        raise ValueError(
            f"`patch_shape` must be the extent along (y, x) or (z, y, x) [px]. Received: patch_shape={patch_shape!r}"
        )
    strides = along_axes("stride", positive_per_axis("stride", np.asarray(stride).tolist()), len(shape))
    depth, step = (shape[0], strides[0]) if len(shape) == 3 else (1, 1)
    chosen = [_mask_and_slices(entry) for entry in masks]
    todo = [(number, mask, run) for number, (mask, z) in enumerate(chosen) for run in _runs(z, depth)]
    total, done = sum(len(run) for _, _, run in todo), 0
    # Columns: volume, z, y, x, foreground, background.
    parts = [np.zeros((0, 6), np.int64)]
    for number, mask, run in todo:
        counts = []  # foreground and background of the windows of every slice
        for z in run:
            kinds = pixel_kinds(np.asarray(mask[z]), ignore_value)
            origins = list(map(window_origins, kinds.shape, shape[-2:], strides[-2:]))
            counts.append([_window_sums(kinds == kind, origins, shape[-2:]) for kind in (FOREGROUND, BACKGROUND)])
            done += 1
            if progress:
                progress(done, total)
        origins = [window_origins(len(run), depth, step), *origins]
        # (slices of the run, windows along y, windows along x), summed over the slices of every box.
        sums = [_window_sums(np.stack(slices), origins[:1], (depth,)) for slices in zip(*counts, strict=True)]
        z, y, x = np.meshgrid(origins[0] + run[0], *origins[1:], indexing="ij")
        parts.append(np.stack([np.full_like(z, number), z, y, x, *sums], axis=-1).reshape(-1, 6))
    found = np.concatenate(parts)
    # Without patches that have no annotated pixel.
    found = found[found[:, 4] + found[:, 5] > 0]
    return PatchTable(found[:, :4], found[:, 4], found[:, 5], shape)


def _mask_and_slices(entry: Any) -> tuple[Any, list[int]]:
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        received = f"an array {np.shape(entry)}" if hasattr(entry, "shape") else repr(entry)
        raise ValueError(
            "`masks` must be pairs of a mask and its slices, such as [(mask, range(len(mask)))]. "
            f"Received: {received} in place of a pair"
        )
    mask, z = entry
    shape = getattr(mask, "shape", None)  # whatever gives its slices by their index will do
    if shape is not None and len(shape) != 3:
        raise ValueError(f"`masks` must hold masks (z, y, x). Received: a mask {shape}")
    try:
        slices = [operator.index(index) for index in z]
    except TypeError:
        raise ValueError(f"`masks` must name slices by their indices, such as [0, 5]. Received: {z!r}") from None
    if shape is not None and (outside := [index for index in slices if not 0 <= index < shape[0]]):
        raise ValueError(f"`masks` must name slices from 0 to {shape[0] - 1}. Received: slice {outside[0]}")
    return mask, slices


def _runs(indices: Iterable[int], depth: int) -> list[list[int]]:
    """Return the runs of consecutive slices that hold a patch; each slice alone for a depth of 1."""
    if depth == 1:
        return [[int(z)] for z in indices]
    chosen = sorted({int(z) for z in indices})
    # Index less position is the same for all slices of a run.
    groups = itertools.groupby(enumerate(chosen), key=lambda pair: pair[1] - pair[0])
    runs = ([z for _, z in group] for _, group in groups)
    return [run for run in runs if len(run) >= depth]


def _window_sums(values: np.ndarray, origins: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    """Sum over every window, axis by axis, from the differences of cumulative sums."""
    for axis, (starts, length) in enumerate(zip(origins, lengths, strict=True)):
        before = [(1, 0) if other == axis else (0, 0) for other in range(values.ndim)]
        # sums[i] is the sum of the first i values.
        sums = np.pad(values.cumsum(axis, dtype=np.int64), before)
        values = sums.take(starts + length, axis) - sums.take(starts, axis)
    return values
