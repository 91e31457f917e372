"""From the grey values of a volume to those that a model was trained on: what is converted, and what is warned of."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence

import numpy as np

from segkit.errors import InputError
from segkit.inference.predict_options import PredictOptions
from segkit.models.card import ModelCard
from segkit.preprocessing.grey_values import (
    EXCHANGED,
    ByteReading,
    GreyValues,
    better_reading,
    grey_values_of,
    other_sign,
    sampled_values,
)
from segkit.volumes.lazy_volume import LazyVolume
from segkit.volumes.volume import Volume

_log = logging.getLogger(__name__)

_EXCHANGED_BY_THE_OPTION = "light and dark seem to be exchanged by --invert: if they are, leave it out"


@dataclasses.dataclass(frozen=True)
class GreyScale:
    """What is done to the voxels of a volume before a model's preprocessing.

    Attributes:
        reading: How bytes are read, where not as the file's type says.
        gain: Factor afterwards.
        shift: Added to it.
        dtype: Integer type that multiplied voxels are rounded to; they are float32 by default.
        remarks: What the user should know, one line each.
    """

    reading: ByteReading | None = None
    gain: float = 1.0
    shift: float = 0.0
    dtype: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_as_stored(self) -> bool:
        """Whether voxels stay as they are."""
        return self.reading is None and self.gain == 1.0 and self.shift == 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return voxels on the scale of the training data, of any shape."""
        values = values if self.reading is None else self.reading(values)
        if self.gain == 1.0 and self.shift == 0.0:
            return values
        scaled = values.astype(np.float32) * np.float32(self.gain) + np.float32(self.shift)
        if self.dtype is None:
            return scaled
        limits = np.iinfo(self.dtype)
        return scaled.round().clip(limits.min, limits.max).astype(self.dtype)

    def of(self, volume: Volume) -> Volume:
        """Return a volume whose voxels are converted as they are read."""
        if self.is_as_stored:
            return volume
        dtype = self(np.zeros(1, volume.dtype)).dtype
        array = LazyVolume(lambda region: self(np.asarray(volume.array[region])), volume.array.shape, dtype)
        return dataclasses.replace(volume, array=array)


def grey_scale(volume: Volume, card: ModelCard, options: PredictOptions) -> GreyScale:
    """Compare the grey values of a volume with those that a model was trained on.

    Three slices are looked at, evenly spread over the volume, so that all processes that share a prediction find the
    same. What can be proven is converted: signed bytes that the training had as unsigned ones, and vice versa. What was
    asked for is done: values brought to the mean and deviation of the training, contrast inverted. Of all else there is
    a remark.

    Args:
        volume: The input.
        card: The model's card.
        options: The choices.

    Raises:
        InputError: If values are to be matched with those of a training that the card does not hold.
    """
    trained = card.grey_values or card.preprocessing.known_grey_values(card.dtype)
    wants_none = not (options.match_grey_values or options.invert)
    if trained is None and wants_none:
        return GreyScale()
    values = sampled_values([(volume.array, range(volume.shape[0]))])
    if not wants_none:
        return _asked_for(grey_values_of(values, str(volume.dtype)), trained, card, options)
    reading = better_reading(values, trained)
    read, dtype = (values, str(volume.dtype)) if reading is None else (reading(values), reading.to)
    found = grey_values_of(read, dtype)
    remarks = []
    if reading is not None:
        how = "shifted by 128" if reading.is_shifted else "read as bytes of the other sign"
        remarks.append(f"{volume.dtype} bytes were {how} to match those that the model was trained on")
    fault = card.preprocessing.mismatch(found, trained)
    if fault is None and reading is None:
        fault = other_sign(values, trained)
    if fault:
        remarks.append(fault)
    return GreyScale(reading, remarks=tuple(remarks))


def prepared_volume(volume: Volume, card: ModelCard, options: PredictOptions) -> Volume:
    """Return a volume as a model's network is to read it: on the scale of its training data, or on one of its own."""
    volume = grey_scale(volume, card, options).of(volume)
    if card.preprocessing.resizes:
        return volume  # coloured slice by slice, from the grey values
    return dataclasses.replace(volume, array=card.preprocessing.training_array(volume.array, 0))


def tell_grey_scale(volume: Volume, cards: Sequence[ModelCard], options: PredictOptions) -> None:
    """Log what is converted for models, and what does not fit; each line once."""
    remarks = [(card.name, remark) for card in cards for remark in grey_scale(volume, card, options).remarks]
    for name, remark in dict.fromkeys(remarks):
        _log.warning("warning: %s with %s: %s", volume.name, name, remark)


def _asked_for(found: GreyValues, trained: GreyValues | None, card: ModelCard, options: PredictOptions) -> GreyScale:
    # Converted values are float32, and get the type of the training where a preprocessing depends on it.
    dtype = None
    if trained is not None and card.preprocessing.mismatch(dataclasses.replace(trained, dtype="float32"), trained):
        dtype = trained.dtype
    if trained is None or not math.isfinite(trained.std):
        if options.match_grey_values:
            raise InputError(
                f"{card.name}: its card does not hold the grey values of the training; leave out --match-grey-values"
            )
        return GreyScale(gain=-1.0, shift=2 * found.mean, dtype=dtype)  # about the mean, which stays
    if options.match_grey_values:
        gain = trained.std / found.std if found.std > 0 else 1.0
        gain = -gain if options.invert else gain
        shift, std = trained.mean - gain * found.mean, trained.std
    else:
        # About the middle between both means, so that the volume gets that of the training.
        gain, shift, std = -1.0, found.mean + trained.mean, found.std
    skewness = found.skewness if found.skewness is None or gain > 0 else -found.skewness
    scaled = GreyValues(dtype=dtype or found.dtype, mean=trained.mean, std=std, skewness=skewness)
    exchanged = _EXCHANGED_BY_THE_OPTION if options.invert else EXCHANGED
    fault = card.preprocessing.mismatch(scaled, trained, exchanged=exchanged)
    return GreyScale(gain=gain, shift=shift, dtype=dtype, remarks=() if fault is None else (fault,))
