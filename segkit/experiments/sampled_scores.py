"""What a trained network does on the patches of a sampler: its score, and how long it takes."""

from __future__ import annotations

import time

import keras
import numpy as np

from segkit.data.sampler import LOGITS, PatchSampler, named_targets
from segkit.metrics.binary_mean_iou import BinaryMeanIoU

_TIMED = 9


def sampled_mean_iou(model: keras.Model, sampler: PatchSampler) -> float:
    """Return the mean IoU of foreground and background over all patches of a sampler."""
    metric = BinaryMeanIoU()
    for step in range(sampler.steps_per_epoch):
        images, targets = sampler.batch(step)
        metric.update_state(named_targets(targets, LOGITS)["logits"], model.predict_on_batch(images)["logits"])
    return float(metric.result())


def seconds_per_sample(model: keras.Model, sampler: PatchSampler) -> float:
    """Return the median time to predict one patch alone, the first call not counted [s]."""
    images, _ = sampler.batch(0)
    times = []
    for _ in range(_TIMED + 1):
        start = time.perf_counter()
        model.predict_on_batch(images[:1])
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))
