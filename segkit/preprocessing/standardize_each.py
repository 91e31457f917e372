"""Bring the grey values of every volume, or every slice, to one scale of their own."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from segkit.errors import InputError
from segkit.preprocessing.grey_values import EXCHANGED, GreyValues, grey_mismatch
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.preprocessing.standardize import StoredSlices
from segkit.volumes.lazy_volume import LazyVolume, Region

_SLICES = 32  # of a volume, that its percentiles are taken from
_PIXELS = 2**20  # of each of them, at least a quarter of this


@PREPROCESSINGS.register("standardize_each")
@dataclasses.dataclass(frozen=True, kw_only=True)
class StandardizeEach:
    """Bring two percentiles of every volume, or of every slice, to the values that they have in a normal distribution.

    For volumes of different brightness and contrast, from several microscopes or programs. Of values that are normally
    distributed, the mean becomes 0 and the standard deviation 1; gold beads, hot pixels and borders beyond the
    percentiles do not count. What is lost is what differs between volumes, or slices, as a whole.

    Attributes:
        per: ``"volume"`` or ``"slice"``.
        low: Lower percentile, from 0 to below ``high``.
        high: Upper percentile, up to 100.

    Raises:
        ValueError: If a percentile is out of its range.

    Example:
        >>> stack = np.arange(200, dtype=np.uint8).reshape(2, 10, 10)
        >>> found = StandardizeEach(per="slice").training_array(stack, 10)
        >>> bool(np.allclose(found[0], found[1]))
        True
    """

    per: Literal["volume", "slice"]
    low: float = 5.0
    high: float = 95.0
    kind: ClassVar[str]
    num_channels: ClassVar[int] = 1
    resizes: ClassVar[bool] = False
    scale_axes: ClassVar[str] = "yx"
    windows: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.per not in ("volume", "slice"):
            raise ValueError(f"`per` must be 'volume' or 'slice'. Received: per={self.per!r}")
        if not 0 < self.low < self.high < 100:
            raise ValueError(
                f"`low` and `high` must be percentiles, in (0, 100), the lower one first. Received: low={self.low!r}, "
                f"high={self.high!r}"
            )

    def measured(
        self, slices: Sequence[tuple[Any, Iterable[int]]], progress: Callable[[int, int], None] | None = None
    ) -> StandardizeEach:
        """Return it as it is: every volume is measured for itself."""
        return self

    @property
    def is_measured(self) -> bool:
        """Nothing is left open."""
        return True

    def training_array(self, stack: Any, size_px: int) -> LazyVolume:
        """Return the stack on its scale, float32, ``(z, y, x)``; a slice is measured when it is first read."""
        return _standardized(stack, self)

    def open(self, stack: Any) -> StoredSlices:
        """Return a reader of the slices on their scale."""
        return StoredSlices(_standardized(stack, self))

    def finish(
        self, voxels: np.ndarray, out: np.ndarray | None = None, *, gain: float = 1.0, shift: float = 0.0
    ) -> np.ndarray:
        """Return ``voxels * gain + shift`` of voxels on their scale, float32, with an axis of one channel behind."""
        out = np.empty((*voxels.shape, 1), np.float32) if out is None else out
        np.multiply(voxels.reshape(out.shape), np.float32(gain), out=out, dtype=np.float32, casting="unsafe")
        if shift:
            out += np.float32(shift)
        return out

    def to_grey_values(self, values: Any) -> Any:
        """Refuse: the scale of a volume is not known when its network is built.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "values of a scale per volume or slice cannot be converted back to grey values; choose the preprocessing "
            "'standardize' for networks that return images"
        )

    def known_grey_values(self, dtype: str | None) -> GreyValues | None:
        """Nothing is known: the card holds it."""
        return None

    def mismatch(self, found: GreyValues, trained: GreyValues, *, exchanged: str = EXCHANGED) -> str | None:
        """Return a line where the contrast is inverted; brightness and contrast do not matter."""
        return grey_mismatch(found, trained, ("polarity",), exchanged=exchanged)

    def in_graph(self, slices: Any) -> Any | None:
        """Return slices on their scale, float32, of the same shape; ``None`` where volumes are measured as wholes."""
        if self.per == "volume":
            return None
        from keras import ops  # here: plans are read without it

        values = ops.cast(slices, "float32")
        flat = ops.sort(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)
        count = ops.cast(ops.shape(flat)[-1], "float64")
        ranks = [ops.cast(ops.floor(q * (count - 1)), "int32") for q in (self.low / 100, self.high / 100)]
        # (b,) -> (b, 1, 1, ...)
        low, high = (
            ops.reshape(ops.take(flat, rank, axis=-1), (-1, *(1,) * (len(slices.shape) - 1))) for rank in ranks
        )
        mean, scale = self._constants(low, high, ops)
        return (values - mean) * scale

    def constants_of(self, values: np.ndarray) -> tuple[np.float32, np.float32]:
        """Return what is subtracted from values and what they are multiplied with then.

        Args:
            values: Any shape.

        Raises:
            InputError: If one of them is NaN or infinite.
        """
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError("found NaN or infinite voxels, expected finite values; replace them by the mean")
        # The same ranks as in a graph, without interpolation between them.
        ranks = [math.floor(q / 100 * (values.size - 1)) for q in (self.low, self.high)]
        ordered = np.partition(values, ranks, axis=None)
        low, high = (np.float32(ordered[rank]) for rank in ranks)
        mean, scale = self._constants(low, high, np)
        return np.float32(mean), np.float32(scale)

    def _constants(self, low: Any, high: Any, xp: Any) -> tuple[Any, Any]:
        """Return the two numbers from the percentiles, in NumPy or a backend."""
        from scipy.special import ndtri  # here: plans are read without it

        at_low, at_high = (np.float32(ndtri(q / 100)) for q in (self.low, self.high))
        spread = high - low
        # All equal: 0 everywhere.
        spread = xp.where(spread > 0, spread, xp.ones_like(spread))
        scale = (at_high - at_low) / spread
        return low - at_low / scale, scale


def _standardized(stack: Any, preprocessing: StandardizeEach) -> LazyVolume:
    depth = stack.shape[0]

    @functools.cache
    def constants(z: int) -> tuple[np.float32, np.float32]:
        try:
            return preprocessing.constants_of(np.asarray(stack[z]))
        except InputError as fault:
            raise InputError(f"slice {z}: {fault}") from fault

    @functools.lru_cache(maxsize=1)
    def shared() -> tuple[np.float32, np.float32]:
        chosen = np.linspace(0, depth - 1, min(depth, _SLICES)).round().astype(int)
        height, width = stack.shape[1:]
        step = max(1, math.isqrt(height * width // _PIXELS))
        return preprocessing.constants_of(np.stack([np.asarray(stack[z])[::step, ::step] for z in chosen.tolist()]))

    def read(region: Region) -> np.ndarray:
        values = np.asarray(stack[region])
        if preprocessing.per == "volume":
            mean, scale = shared()
        else:
            pairs = [constants(z) for z in range(*region[0].indices(depth))]
            # (z, 1, 1)
            mean, scale = (np.array(part, np.float32)[:, None, None] for part in zip(*pairs, strict=True))
        return (values.astype(np.float32) - mean) * scale

    return LazyVolume(read, stack.shape, np.float32)
