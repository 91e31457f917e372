"""Context aware pseudocolouring: the slices above and below a slice, as its colour."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pseudocoloring:
    """Colour a slice red where the slice before it holds cells, and blue where the next one does.

    Each neighbour is equalised (CLAHE), brought to [0, 1], blurred and thresholded to a rough mask. Red is
    ``current * mask(z - 1) + current``, blue the same with ``z + 1``, green the current slice; the three are brought to
    [0, 1]. Beyond the first and the last slice everything is black.

    Args:
        clip_limit: Bound of the contrast in CLAHE, as OpenCV means it, positive. Of 16 bits
            few pixels share a value, and OpenCV never allows fewer than one: in slices of up to 1800 px 10 allows no
            more.
        tiles: Tiles of CLAHE along y and x.
        blur_px: Side of the square that is averaged over [px].
        threshold: Threshold of the rough mask to begin with, in [0, 1].
        threshold_step: How much it is raised while the mask is too large.
        max_raises: How often at most.
        expected_share: The mask is too large as long as it takes this share of the slice or more, in (0, 1]; about
            twice the share of cells.
        normalize: ``"jointly"`` keeps the balance of the colours, ``"per_channel"`` brings each to [0, 1].

    Raises:
        ValueError: If a value is out of its range.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 2.2 and Fig. 4; the values are those of the authors' program.
    """

    looks_along_z: ClassVar[bool] = True

    clip_limit: float = 10.0
    tiles: int = 16
    blur_px: int = 8
    threshold: float = 0.2
    threshold_step: float = 0.01
    max_raises: int = 30
    expected_share: float = 0.03
    normalize: Literal["jointly", "per_channel"] = "jointly"

    def __post_init__(self) -> None:
        for name in ("clip_limit", "tiles", "blur_px", "threshold_step"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive. Received: {name}={getattr(self, name)!r}")
        if not 0 < self.expected_share <= 1:
            raise ValueError(f"`expected_share` must be in (0, 1]. Received: expected_share={self.expected_share!r}")
        if not 0 <= self.threshold <= 1 or self.max_raises < 0:
            raise ValueError(
                "`threshold` must be in [0, 1] and `max_raises` not negative. "
                f"Received: threshold={self.threshold!r}, max_raises={self.max_raises!r}"
            )
        if self.normalize not in ("jointly", "per_channel"):
            raise ValueError(f"`normalize` must be 'jointly' or 'per_channel'. Received: {self.normalize!r}")

    def steps(self, neighbour: np.ndarray) -> dict[str, np.ndarray]:
        """Return what becomes of a neighbour on the way to its rough mask, for pictures.

        Args:
            neighbour: Slice, ``(y, x)``, any real type.

        Returns:
            ``equalized`` and ``blurred``, float32 in [0, 1], and ``mask``, bool, each ``(y, x)``.
        """
        import cv2  # here: loading it takes longer than everything else that data needs

        values, bit_shift = _whole_numbers(neighbour)
        equalized = stretched(_clahe(self.clip_limit, self.tiles, bit_shift).apply(values))
        blurred = cv2.blur(equalized, (self.blur_px, self.blur_px))
        # Raise the threshold until the mask is no larger than cells can be.
        threshold = self.threshold
        mask = blurred > threshold
        for raised in range(1, self.max_raises + 1):
            if np.count_nonzero(mask) < self.expected_share * mask.size:
                break
            mask = blurred > threshold + raised * self.threshold_step
        return {"equalized": equalized, "blurred": blurred, "mask": mask}

    def rough_mask(self, neighbour: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
        """Return where a neighbour seems to hold cells, bool; nowhere if there is no neighbour or it is one grey."""
        if neighbour is None or neighbour.min() == neighbour.max():
            return np.zeros(shape, bool)
        return self.steps(neighbour)["mask"]

    def combine(self, current: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Colour a slice with the rough masks of its neighbours.

        Args:
            current: Slice, ``(y, x)``, any real type.
            before: Rough mask of the slice before, bool.
            after: Rough mask of the next slice, bool.

        Returns:
            float32 in [0, 1], ``(y, x, 3)``.
        """
        import cv2

        grey = current.astype(np.float32)
        grey -= min(float(grey.min()), 0.0)  # doubling must brighten, whatever the sign of the values
        doubled = 2 * grey
        channels = [np.where(before, doubled, grey), grey, np.where(after, doubled, grey)]
        limits = [(float(channel.min()), float(channel.max())) for channel in channels]
        if self.normalize == "jointly":
            lows, highs = zip(*limits, strict=True)
            limits = [(min(lows), max(highs))] * 3
        # Three (y, x) -> (y, x, 3)
        return cv2.merge([_between(channel, *limit) for channel, limit in zip(channels, limits, strict=True)])

    def color(self, stack: Any, slices: Iterable[int]) -> Iterator[np.ndarray]:
        """Colour slices of a stack one after the other; a neighbour shared by two is looked at once.

        Args:
            stack: Grey values, ``(z, y, x)``; read by slices.
            slices: Indices of the slices.

        Yields:
            float32 in [0, 1], ``(y, x, 3)``.
        """
        masks: dict[int, np.ndarray] = {}
        for z in slices:
            for side in (z - 1, z + 1):
                if side not in masks:
                    neighbour = np.asarray(stack[side]) if 0 <= side < stack.shape[0] else None
                    masks[side] = self.rough_mask(neighbour, stack.shape[1:])
            yield self.combine(np.asarray(stack[z]), masks[z - 1], masks[z + 1])
            # Slice z + 1 needs the mask of z, slice z + 2 that of z + 1.
            masks = {side: mask for side, mask in masks.items() if abs(side - z) <= 1}


def stretched(values: np.ndarray) -> np.ndarray:
    """Bring values to [0, 1], float32; zeros if they are all alike."""
    return _between(values, float(values.min()), float(values.max()))


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high == low:
        return np.zeros(values.shape, np.float32)
    result = values.astype(np.float32)
    result -= np.float32(low)
    result /= np.float32(high - low)
    return result


_kept = threading.local()


def _clahe(clip_limit: float, tiles: int, bit_shift: int) -> Any:
    """Return OpenCV's CLAHE, one per thread: its tables, 33 MB for 16 bits, are not rebuilt for every slice."""
    import cv2

    if getattr(_kept, "settings", None) != (clip_limit, tiles):
        _kept.clahe = cv2.createCLAHE(tileGridSize=(tiles, tiles))
        _kept.settings = clip_limit, tiles
    _kept.clahe.setBitShift(bit_shift)
    _kept.clahe.setClipLimit(clip_limit / 2**bit_shift)  # OpenCV multiplies by the mean height of a bin
    return _kept.clahe


def _whole_numbers(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a slice in a type that CLAHE takes, and how many of its last bits CLAHE may leave out.

    8 bits stay, others become the 16 bits between their extremes. Where whole numbers leave half of these free, as
    those of any camera of up to 15 bits do, the last bit distinguishes nothing and takes half of CLAHE's time.
    """
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image), 0
    if image.dtype.kind == "f":
        above, bit_shift = image.astype(np.float64) - float(image.min()), 0
    else:
        above = image - image.min() if image.dtype == np.uint16 else image.astype(np.int64) - int(image.min())
        bit_shift = int(above.max() < 2**15)
    # To the full range of 16 bits. float32 holds every 16-bit integer, others are multiplied in float64.
    scale = 65535 / float(above.max())
    precise = np.float32 if above.dtype == np.uint16 else np.float64
    return np.rint(above * precise(scale)).astype(np.uint16), bit_shift
