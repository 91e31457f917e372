"""How the presets of ``recipes.fre`` train."""

from __future__ import annotations

import math

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.sources import Source
from segkit.data.splits import parse_slices
from segkit.experiments.settings import NEVER
from segkit.geometry.window_origins import window_origins
from segkit.training.plan import TrainingPlan

PAPER_FILTERS = (64, 128, 256, 512, 512)
SMALL_FILTERS = (16, 32, 64, 128, 512)
"""Widths for CPUs: the end of the encoder, where everything happens, is as wide as the paper's."""

_SMALL_STEPS = 2000
_MULTIPLE_PX = 16  # four levels that halve the resolution
_SMALL_BATCH = 4  # as fast a tile as more on a CPU, and twice the steps of 8: rare classes are found in half the time


def training_plan(preset: str, source: Source, shape: tuple[int, ...], ignore_value: int | None) -> TrainingPlan:
    """Return how a preset trains.

    The paper's: tiles of 256 without overlap, 2000 epochs, the best one kept; it is silent on optimizer, batch and
    augmentation. The small one takes 2000 steps, of a size that falls fast, and flips and turns its tiles.
    """
    shared = {
        "patch_px": 256,
        "stride_px": 256,
        "validation_stride_px": 256,
        "ignore_value": ignore_value,
        "plateau_patience": NEVER,
        "early_stopping_patience": NEVER,
        "l2": 0.0,
    }
    if preset == "paper":
        return TrainingPlan(**shared, batch_size=8, augmentation=NO_AUGMENTATION, epochs=2000, learning_rate=1e-3)
    side = min(256, *(size // _MULTIPLE_PX * _MULTIPLE_PX for size in shape[1:]))  # as patches will shrink
    windows = (len(window_origins(size, side, side)) if side else 1 for size in shape[1:])
    tiles = len(parse_slices(source.train, shape[0])) * math.prod(windows)
    return TrainingPlan(
        **shared,
        batch_size=_SMALL_BATCH,
        augmentation=Augmentation(brightness=0.1, contrast=0.1),
        epochs=max(20, math.ceil(_SMALL_STEPS / math.ceil(tiles / _SMALL_BATCH))),
        learning_rate=2e-3,
        decay=1e-3,
    )
