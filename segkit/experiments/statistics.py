"""Batches from which the statistics of normalisation are re-estimated before every validation."""

from __future__ import annotations

import numpy as np

from segkit.training.preparation import Prepared


def statistics_batches(prepared: Prepared, steps: int) -> list[np.ndarray]:
    """Return training images without augmentation, at most ``steps`` batches, always the same."""
    plain = prepared.training.without_augmentation().with_seed(0)
    return [plain.batch(step)[0] for step in range(min(steps, plain.steps_per_epoch))]
