"""Where patches are cut: the sliding window and the table of patches with their foreground."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np


def window_origins(size: int, patch: int, stride: int) -> np.ndarray:
    """Return the origins of a sliding window along one axis; the last window ends at the border.

    Args:
        size: Length of the axis [px], at least ``patch``.
        patch: Length of the window [px].
        stride: Step of the window [px].

    Returns:
        Increasing int64 array that starts at 0 and ends at ``size - patch``.

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


@dataclasses.dataclass(frozen=True)
class PatchTable:
    """Patches of one or several volumes, a row each.

    Attributes:
        rows: int64, shape ``(patches, 4)``: volume, z, y, x of the first voxel.
        foreground: int64, shape ``(patches,)``: foreground pixels of each patch.
        patch_px: Side of the square patches [px].
    """

    rows: np.ndarray
    foreground: np.ndarray
    patch_px: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def positive(self) -> np.ndarray:
        """Boolean, shape ``(patches,)``: the patch has foreground."""
        return self.foreground > 0

    def with_positive_copies(self, copies: int) -> PatchTable:
        """Return a table in which each patch with foreground stands ``copies`` more times.

        Reference:
            Zhang et al. (2019), SegET, Sec. 3.2: positive centriole patches are copied 4 times.
        """
        repeats = np.where(self.positive, 1 + copies, 1)
        return PatchTable(self.rows.repeat(repeats, axis=0), self.foreground.repeat(repeats), self.patch_px)

    def background_to_foreground(self) -> float:
        """Return the mean ratio B/F over the patches that have foreground; NaN if none has."""
        foreground = self.foreground[self.positive]
        return float(np.mean((self.patch_px**2 - foreground) / foreground)) if foreground.size else float("nan")


def tabulate_patches(
    masks: Sequence[tuple[Any, Iterable[int]]],
    *,
    patch_px: int,
    stride_px: int,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PatchTable:
    """List the patches of chosen slices and count the foreground of each, reading every mask slice once.

    Args:
        masks: Pairs of a mask ``(z, y, x)``, not zero is foreground, and the indices of its slices to take.
        patch_px: Side of the patches [px].
        stride_px: Step of the sliding window [px].
        ignore_value: Mask value of pixels that nobody annotated; not counted as foreground.
        progress: Called as ``progress(done, total)`` after each slice.

    Returns:
        Table in the order volume, z, y, x.
    """
    todo = [(number, mask, z) for number, (mask, indices) in enumerate(masks) for z in indices]
    rows, counts = [], []
    for done, (number, mask, z) in enumerate(todo, start=1):
        painted = np.asarray(mask[z])
        foreground = painted != 0 if ignore_value is None else (painted != 0) & (painted != ignore_value)
        sums = np.pad(foreground.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
        ys = window_origins(painted.shape[0], patch_px, stride_px)
        xs = window_origins(painted.shape[1], patch_px, stride_px)
        low_y, low_x = np.meshgrid(ys, xs, indexing="ij")
        high_y, high_x = low_y + patch_px, low_x + patch_px
        inside = sums[high_y, high_x] - sums[low_y, high_x] - sums[high_y, low_x] + sums[low_y, low_x]
        constant = np.full_like(low_y, number), np.full_like(low_y, z)
        rows.append(np.stack([*constant, low_y, low_x], axis=-1).reshape(-1, 4))
        counts.append(inside.ravel())
        if progress:
            progress(done, len(todo))
    if not rows:
        return PatchTable(np.zeros((0, 4), np.int64), np.zeros(0, np.int64), patch_px)
    return PatchTable(np.concatenate(rows), np.concatenate(counts), patch_px)
