"""Bring grey values to the mean 0 and the standard deviation 1 of the training slices."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from segkit.arguments import make_fields_plain
from segkit.preprocessing.grey_values import EXCHANGED, GreyValues, grey_mismatch
from segkit.preprocessing.normalization import measure_normalization
from segkit.preprocessing.preprocessing import PREPROCESSINGS


@PREPROCESSINGS.register("standardize")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Standardize:
    """Subtract a mean and divide by a standard deviation, the same two numbers for every volume.

    Attributes:
        mean: Mean of the training voxels [grey value]; ``None``, with ``std``, to be measured.
        std: Standard deviation of the training voxels, positive [grey value].

    Raises:
        ValueError: If a number is not finite, ``std`` is not positive, or one is given without the other.

    Example:
        >>> Standardize(mean=10.0, std=4.0).finish(np.array([[10, 18]], np.uint8)).ravel().tolist()
        [0.0, 2.0]
    """

    mean: float | None = None
    std: float | None = None
    kind: ClassVar[str]
    num_channels: ClassVar[int] = 1
    resizes: ClassVar[bool] = False
    scale_axes: ClassVar[str] = "yx"
    windows: ClassVar[None] = None

    def __post_init__(self) -> None:
        make_fields_plain(self)
        if (self.mean is None) != (self.std is None):
            raise ValueError(f"`mean` and `std` must be given together. Received: mean={self.mean!r}, std={self.std!r}")
        if self.mean is None:
            return
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(
                f"`mean` must be finite and `std` positive [grey value]. Received: mean={self.mean!r}, std={self.std!r}"
            )

    def measured(
        self, slices: Sequence[tuple[Any, Iterable[int]]], progress: Callable[[int, int], None] | None = None
    ) -> Standardize:
        """Return it with mean and standard deviation of training slices, unless they are known.

        Raises:
            InputError: If a voxel is NaN or infinite, or all voxels are equal.
        """
        if self.mean is not None:
            return self
        mean, std = measure_normalization(slices, progress)
        return Standardize(mean=mean, std=std)

    def open(self, stack: Any) -> StoredSlices:
        """Return a reader of the slices as they are stored."""
        return StoredSlices(stack)

    def training_array(self, stack: Any, size_px: int) -> Any:
        """Return the stack itself."""
        return stack

    def finish(
        self, voxels: np.ndarray, out: np.ndarray | None = None, *, gain: float = 1.0, shift: float = 0.0
    ) -> np.ndarray:
        """Return ``(voxels - mean) * (gain / std) + shift``, float32, with an axis of one channel behind."""
        mean, scale = self._constants(gain)
        out = np.empty((*voxels.shape, 1), np.float32) if out is None else out
        # (y, x) -> (y, x, 1), converted, subtracted and written in one pass.
        np.subtract(voxels.reshape(out.shape), mean, out=out, casting="unsafe", dtype=np.float32)
        out *= scale
        if shift:
            out += np.float32(shift)
        return out

    def to_grey_values(self, values: Any) -> Any:
        """Return ``values * std + mean``."""
        mean, _ = self._constants()
        return values * np.float32(self.std) + mean

    @property
    def is_measured(self) -> bool:
        """Whether mean and standard deviation are known."""
        return self.mean is not None

    def known_grey_values(self, dtype: str | None) -> GreyValues | None:
        """Return mean and standard deviation; how skewed the values were is not known of them."""
        return GreyValues(dtype=dtype or "voxels", mean=self.mean, std=self.std)

    def mismatch(self, found: GreyValues, trained: GreyValues, *, exchanged: str = EXCHANGED) -> str | None:
        """Return a line where mean, standard deviation or polarity are not those of the training."""
        return grey_mismatch(found, trained, ("mean", "deviation", "polarity"), exchanged=exchanged)

    def in_graph(self, slices: Any) -> Any:
        """Return ``(slices - mean) / std``, float32, of the shape of the slices."""
        import keras  # here: plans are read without it

        mean, scale = self._constants()
        return (keras.ops.cast(slices, "float32") - mean) * scale

    def _constants(self, gain: float = 1.0) -> tuple[np.float32, np.float32]:
        # The same two float32 numbers and the same two operations wherever a network is fed from: training, prediction
        # and a served model agree to the last bit. Subtracting first keeps means that are far from 0 exact.
        if self.mean is None:
            raise ValueError("`mean` and `std` must be known: call `measured` first. Received: None")
        return np.float32(self.mean), np.float32(gain / self.std)


class StoredSlices:
    """A reader of slices as a stack holds them."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack

    def read(self, z: int) -> np.ndarray:
        """Return slice ``z``, ``(y, x)``."""
        return np.asarray(self._stack[z])
