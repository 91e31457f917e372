"""Where patches are cut: the sliding window and the table of patches with their foreground."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from segkit.targets.foreground import BACKGROUND, FOREGROUND, pixel_kinds


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
        background: int64, shape ``(patches,)``: background pixels of each patch; the rest nobody annotated.
        patch_px: Side of the square patches [px].
    """

    rows: np.ndarray
    foreground: np.ndarray
    background: np.ndarray
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
        return PatchTable(
            self.rows.repeat(repeats, axis=0),
            self.foreground.repeat(repeats),
            self.background.repeat(repeats),
            self.patch_px,
        )

    def background_to_foreground(self) -> float:
        """Return the mean ratio B/F over the patches that have foreground; NaN if none has."""
        ratios = self.background[self.positive] / self.foreground[self.positive]
        return float(ratios.mean()) if ratios.size else float("nan")


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
        ignore_value: Mask value of pixels that nobody annotated; a patch of nothing else is left out.
        progress: Called as ``progress(done, total)`` after each slice.

    Returns:
        Table in the order volume, z, y, x.
    """
    todo = [(number, mask, z) for number, (mask, indices) in enumerate(masks) for z in indices]
    parts = []
    for done, (number, mask, z) in enumerate(todo, start=1):
        kinds = pixel_kinds(np.asarray(mask[z]), ignore_value)
        ys = window_origins(kinds.shape[0], patch_px, stride_px)
        xs = window_origins(kinds.shape[1], patch_px, stride_px)
        y, x = (axis.ravel() for axis in np.meshgrid(ys, xs, indexing="ij"))
        foreground, background = (_window_sums(kinds == kind, y, x, patch_px) for kind in (FOREGROUND, BACKGROUND))
        parts.append(np.stack([np.full_like(y, number), np.full_like(y, z), y, x, foreground, background], axis=-1))
        if progress:
            progress(done, len(todo))
    found = np.concatenate(parts) if parts else np.zeros((0, 6), np.int64)
    found = found[found[:, 4] + found[:, 5] > 0]
    return PatchTable(found[:, :4], found[:, 4], found[:, 5], patch_px)


def _window_sums(chosen: np.ndarray, y: np.ndarray, x: np.ndarray, side: int) -> np.ndarray:
    """Count the chosen pixels in each square window from the differences of one table of sums."""
    sums = np.pad(chosen.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    return sums[y + side, x + side] - sums[y, x + side] - sums[y + side, x] + sums[y, x]
