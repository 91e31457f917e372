"""Bring grey values to the mean 0 and the standard deviation 1 of the training slices."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from segkit.preprocessing.normalization import measure_normalization
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.volumes.volume import Volume

MEAN_TOLERANCE = 1.5
"""Difference of means, in standard deviations of the training voxels, that gives no warning."""

_SAMPLED_SLICES = 3
_BYTES = {"int8", "uint8"}


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
    windows: ClassVar[None] = None

    def __post_init__(self) -> None:
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

    def open(self, stack: Any) -> _StoredSlices:
        """Return a reader of the slices as they are stored."""
        return _StoredSlices(stack)

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

    def mismatch(self, volume: Volume, slices: Sequence[int], dtype: str | None) -> str | None:
        """Return a line where bytes are signed and were not, or the mean of three slices is far from the one known."""
        chosen = sorted({slices[i] for i in np.linspace(0, len(slices) - 1, _SAMPLED_SLICES).astype(int)})
        voxels = np.concatenate([np.asarray(volume.array[z]).ravel() for z in chosen])
        mean, std = float(voxels.mean(dtype=np.float64)), float(voxels.std(dtype=np.float64))
        # Signed against unsigned: the same file shifted by 128.
        other_bytes = {str(volume.dtype), dtype} == _BYTES
        if not other_bytes and abs(mean - self.mean) <= MEAN_TOLERANCE * self.std:
            return None
        remedy = (
            "signed bytes are unsigned bytes minus 128: save it in the type of the training data"
            if other_bytes
            else "bring its grey values to those of the training data"
        )
        return (
            f"grey values ({volume.dtype}) of mean {mean:.4g} and deviation {std:.3g}, but the model was trained on "
            f"{dtype or 'voxels'} of mean {self.mean:.4g} and deviation {self.std:.3g}; the result may be empty or "
            f"wrong; {remedy}"
        )

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


class _StoredSlices:
    def __init__(self, stack: Any) -> None:
        self._stack = stack

    def read(self, z: int) -> np.ndarray:
        return np.asarray(self._stack[z])
