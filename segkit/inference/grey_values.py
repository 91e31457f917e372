"""The grey values of a volume against those a model was trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from segkit.models.card import ModelCard
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.volume import Volume

MEAN_TOLERANCE = 1.5
"""Difference of means, in standard deviations of the training voxels, that is passed over in silence."""

_SAMPLED_SLICES = 3
_BYTES = {"int8", "uint8"}

_log = logging.getLogger(__name__)


def warn_of_other_grey_values(volume: Volume, card: ModelCard, slices: Sequence[int]) -> None:
    """Log a warning where grey values lie so far from the training voxels that the normalisation does not fit.

    That is so where signed bytes stand for unsigned ones or the other way round (a stack saved by another program, for
    one), or where the mean of three slices is far from the mean on the model's card.

    Args:
        volume: The input.
        card: The model's card.
        slices: Indices of the slices to be predicted.
    """
    preprocessing = card.preprocessing
    if not isinstance(preprocessing, Standardize):  # colours are between 0 and 1 whatever the grey values
        equalises = isinstance(getattr(preprocessing, "coloring", None), Pseudocoloring)
        if equalises and card.dtype and _is_8_bit(volume.dtype) != _is_8_bit(card.dtype):
            _log.warning(
                "warning: %s: holds %s, but %s was trained on %s, and CLAHE equalises uint8 otherwise than all other "
                "types: slices are coloured otherwise, and the result may be worse; save it as the training data were",
                *(volume.name, volume.dtype, card.name, card.dtype),
            )
        return
    chosen = sorted({slices[i] for i in np.linspace(0, len(slices) - 1, _SAMPLED_SLICES).astype(int)})
    voxels = np.concatenate([np.asarray(volume.array[z]).ravel() for z in chosen])
    mean, std = float(voxels.mean(dtype=np.float64)), float(voxels.std(dtype=np.float64))
    other_bytes = {str(volume.dtype), card.dtype} == _BYTES
    if other_bytes or abs(mean - preprocessing.mean) > MEAN_TOLERANCE * preprocessing.std:
        remedy = (
            "signed bytes are unsigned ones minus 128: save it as the training data were"
            if other_bytes
            else "bring its grey values to those of the training data"
        )
        _log.warning(
            "warning: %s: grey values (%s) of mean %.4g and deviation %.3g, but %s was trained on %s of mean %.4g and "
            "deviation %.3g; the result may be empty or wrong; %s",
            *(
                volume.name,
                volume.dtype,
                mean,
                std,
                card.name,
                card.dtype or "voxels",
                preprocessing.mean,
                preprocessing.std,
                remedy,
            ),
        )


def _is_8_bit(dtype: np.dtype | str) -> bool:
    return np.dtype(dtype) == np.uint8
