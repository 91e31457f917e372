"""Foreground and heatmaps such as that of the centres of cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from segkit.targets.foreground import ForegroundTarget

_FULL = 255  # value of 1 in maps of bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class CentersTarget:
    """Foreground as in ``ForegroundTarget``, then the heatmap of centres; one weight for both.

    A heatmap needs the whole cell, which a patch may cut, so it comes with the annotation and is not made here.

    Attributes:
        weight_limit: As in ``ForegroundTarget``.
        ignore_value: As in ``ForegroundTarget``.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3.
    """

    weight_limit: float | None = None
    ignore_value: int | None = None
    channels: ClassVar[int] = 2
    nearest: ClassVar[tuple[bool, ...]] = (True, True)

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return target and weight of a mask and a heatmap: bytes with 255 for 1, or floats in [0, 1]."""
        mask, heatmap = parts
        out = np.empty((*mask.shape, 3), np.float32) if out is None else out
        foreground = ForegroundTarget(weight_limit=self.weight_limit, ignore_value=self.ignore_value)([mask])
        # Channels: mask, heatmap, weight.
        out[..., 0], out[..., 2] = foreground[..., 0], foreground[..., 1]
        if heatmap.dtype == np.uint8:
            np.multiply(heatmap, np.float32(1 / _FULL), out=out[..., 1])
        else:
            out[..., 1] = heatmap
        return out
