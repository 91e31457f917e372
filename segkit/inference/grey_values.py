"""Comparison of the grey values of a volume with those a model was trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from segkit.models.card import ModelCard
from segkit.volumes.volume import Volume

_log = logging.getLogger(__name__)


def warn_of_other_grey_values(volume: Volume, card: ModelCard, slices: Sequence[int]) -> None:
    """Log a warning where the preprocessing of a model does not fit the grey values of a volume.

    Args:
        volume: The input.
        card: The model's card.
        slices: Indices of the slices to be predicted.
    """
    if found := card.preprocessing.mismatch(volume, slices, card.dtype):
        _log.warning("warning: %s with %s: %s", volume.name, card.name, found)
