"""What grey values are like: by that a volume is compared with those that a model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MEAN_TOLERANCE = 0.4
"""Difference of means, in standard deviations of the training voxels, that is borne: half a deviation has changed a
quarter of a network's result."""

STD_TOLERANCE = 1.5
"""Ratio of standard deviations that is borne: 1.7 has changed a fifth of a network's result."""

_MEAN_OF_A_READING = 1.5
_STD_OF_A_READING = 1.75
# Bytes of the wrong sign are off by far more than volumes of one microscope, so their right reading may differ more.

EXCHANGED = "light and dark seem to be exchanged: if they are, use --invert"
"""What is said of values whose contrast is the other way round."""

_LEAST_SKEWNESS = 0.2  # of both volumes, below which light and dark cannot be told from each other
_SLICES = 24  # that are looked at, over all volumes
_SLICES_OF_ONE = 3
_TAILS = (0.1, 99.9)  # percentiles; beads and hot pixels beyond them would outweigh the rest of the skewness


@dataclasses.dataclass(frozen=True, kw_only=True)
class GreyValues:
    """The distribution of grey values in some slices.

    Attributes:
        dtype: Type of the voxels as the file holds them, such as ``"int8"``.
        mean: Mean [grey value].
        std: Standard deviation [grey value].
        skewness: Third standardised moment between the percentiles 0.1 and 99.9; of inverted contrast it has the other
            sign. 0 where all voxels are equal, ``None`` where it is unknown.
    """

    dtype: str
    mean: float
    std: float
    skewness: float | None = None

    def differences(
        self, trained: GreyValues, *, of_mean: float = MEAN_TOLERANCE, of_std: float = STD_TOLERANCE
    ) -> list[str]:
        """Return in which ways these grey values are not those that a model was trained on.

        Args:
            trained: What it was trained on.
            of_mean: Difference of means that is borne, in standard deviations of ``trained``.
            of_std: Ratio of standard deviations that is borne, either way.

        Returns:
            Of ``"mean"``, ``"deviation"`` and ``"polarity"`` those that differ by more than is borne.
        """
        found = []
        if abs(self.mean - trained.mean) > of_mean * trained.std:
            found.append("mean")
        if not trained.std / of_std <= self.std <= trained.std * of_std:
            found.append("deviation")
        mine, theirs = self.skewness or 0.0, trained.skewness or 0.0
        if mine * theirs < 0 and min(abs(mine), abs(theirs)) >= _LEAST_SKEWNESS:
            found.append("polarity")
        return found

    def distance(self, trained: GreyValues) -> float:
        """Return how far these grey values are from others, 0 for the same: of several readings the least is right."""
        if not self.std > 0:
            return float("inf")
        skew = 0.0 if None in (self.skewness, trained.skewness) else abs(self.skewness - trained.skewness)
        return abs(self.mean - trained.mean) / trained.std + abs(float(np.log(self.std / trained.std))) + 0.5 * skew

    def __str__(self) -> str:
        """Return the numbers as messages give them."""
        numbers = [f"mean {self.mean:.4g}", f"deviation {self.std:.3g}"]
        numbers += [] if self.skewness is None else [f"skewness {self.skewness:.2f}"]
        return f"{self.dtype} of {', '.join(numbers[:-1])} and {numbers[-1]}"


def grey_mismatch(
    found: GreyValues, trained: GreyValues, counts: Sequence[str], *, exchanged: str = EXCHANGED
) -> str | None:
    """Return a line that says in what grey values differ from those of a training; ``None`` where they do not.

    Args:
        found: Grey values of a volume.
        trained: Those of the training.
        counts: Which differences count, of ``"mean"``, ``"deviation"`` and ``"polarity"``.
        exchanged: What is said where the polarity differs.
    """
    differing = [difference for difference in found.differences(trained) if difference in counts]
    if not differing:
        return None
    remedies = []
    if {"mean", "deviation"} & {*differing}:
        remedies.append("bring its grey values to those of the training data, or try --match-grey-values")
    if "polarity" in differing:
        remedies.append(exchanged)
    return (
        f"the grey values are {found}, but the model was trained on {trained}; the result may be empty or wrong; "
        f"{'; '.join(remedies)}"
    )


def measure_grey_values(slices: Sequence[tuple[Any, Iterable[int]]]) -> GreyValues:
    """Measure some slices of one or several volumes.

    Args:
        slices: Pairs of an array ``(z, y, x)`` and the indices of its slices that count, as ``sampled_values`` takes
            them; the type that is told is that of the first array.
    """
    return grey_values_of(sampled_values(slices), str(np.dtype(slices[0][0].dtype)))


def sampled_values(slices: Sequence[tuple[Any, Iterable[int]]]) -> np.ndarray:
    """Return the voxels of some slices of one or several volumes, one after the other.

    Args:
        slices: Pairs of an array ``(z, y, x)`` and the indices of its slices that count; up to three of each volume are
            taken, evenly spread, and up to 24 in all.

    Returns:
        Their voxels that are finite, in one row.
    """
    places = [(array, z) for array, indices in slices for z in _spread(list(indices), _SLICES_OF_ONE)]
    values = np.concatenate([np.asarray(array[z]).ravel() for array, z in _spread(places, _SLICES)])
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def grey_values_of(values: np.ndarray, dtype: str) -> GreyValues:
    """Return what some values are like.

    Args:
        values: The values, any shape.
        dtype: Type that is told.
    """
    if not values.size:
        return GreyValues(dtype=dtype, mean=0.0, std=0.0)
    mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    low, high = np.percentile(values, _TAILS)
    inner = values[(values >= low) & (values <= high)].astype(np.float64)
    spread = inner.std()
    skewness = float(((inner - inner.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0
    return GreyValues(dtype=dtype, mean=mean, std=std, skewness=skewness)


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """Return up to ``most`` items, evenly spread from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


@dataclasses.dataclass(frozen=True)
class ByteReading:
    """A way to read bytes as numbers.

    Attributes:
        is_shifted: 128 is added or subtracted, as programs do that turn one type into the other; otherwise the bits
            stay and are taken for those of the other type.
        to: Type of the result, ``"int8"`` or ``"uint8"``.
    """

    is_shifted: bool
    to: str

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return bytes as they are read, of the type ``to``."""
        raw = np.ascontiguousarray(values).view(np.uint8)
        raw = raw ^ np.uint8(0x80) if self.is_shifted else raw
        return raw.view(np.dtype(self.to))


def better_reading(values: np.ndarray, trained: GreyValues) -> ByteReading | None:
    """Return how bytes are to be read so that they are what a model was trained on; ``None`` for as they are.

    Bytes come signed and unsigned, and files do not always say which: MRC mode 0 was both. A reading is taken for the
    right one where it is clearly nearer to the training, if the values as they are differ from those of the training or
    are bytes of the other type.

    Args:
        values: Bytes as the file's type reads them.
        trained: What the model was trained on, bytes too.
    """
    is_bytes = values.dtype.itemsize == 1 and values.dtype.kind in "iu"
    if not is_bytes or trained.dtype not in ("int8", "uint8") or not np.isfinite(trained.std):
        return None
    own = str(values.dtype)
    as_is = grey_values_of(values, own)
    readings = [ByteReading(is_shifted, trained.dtype) for is_shifted in (False, True)]
    found = [(grey_values_of(reading(values), trained.dtype), reading) for reading in readings]
    measured, reading = min(found, key=lambda pair: pair[0].distance(trained))
    borne = {"of_mean": _MEAN_OF_A_READING, "of_std": _STD_OF_A_READING}
    may_be_misread = as_is.differences(trained, **borne) or own != trained.dtype
    is_proven = may_be_misread and not measured.differences(trained, **borne)
    return reading if is_proven and measured.distance(trained) < as_is.distance(trained) / 2 else None


def other_sign(values: np.ndarray, trained: GreyValues) -> str | None:
    """Return a line where bytes have the other sign than those of a training; ``None`` where both mean the same.

    Args:
        values: Bytes as the file's type reads them.
        trained: What the model was trained on.
    """
    own = str(values.dtype)
    if {own, trained.dtype} != {"int8", "uint8"} or not (values.view(np.uint8) > 127).any():
        return None
    return (
        f"holds {own}, but the model was trained on {trained.dtype}, and neither reading of the bytes is clearly that "
        "of the training; the result may be wrong; save it in the type of the training data"
    )
