"""How the presets of ``recipes.efficientcellseg`` train."""

from __future__ import annotations

from segkit.data.augmentation import Augmentation
from segkit.experiments.settings import NEVER
from segkit.training.plan import TrainingPlan


def training_plan(preset: str, size_px: int | None) -> TrainingPlan:
    """Return how a preset trains.

    The paper's: slices of 384 x 384, 100 epochs of Adam, the step size reduced on plateaus; it is silent on batch,
    first step size and augmentation. The small one sees fewer and smaller slices, in large steps that fall fast.
    """
    shared = {"batch_size": 8, "augmentation": Augmentation(), "l2": 0.0, "early_stopping_patience": NEVER}
    shared |= {"plateau_patience": 5}
    if preset == "paper":
        size = size_px or 384
        rest = {"epochs": 100, "learning_rate": 1e-3}
    else:
        size = size_px or 192
        rest = {"epochs": 40, "learning_rate": 2e-3, "decay": 3e-3}
    return TrainingPlan(patch_px=size, stride_px=size, validation_stride_px=size, **shared, **rest)
