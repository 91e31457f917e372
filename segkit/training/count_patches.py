"""The confusion of a network on the patches of a sampler: the scores of papers that cut images into tiles."""

from __future__ import annotations

import keras
import numpy as np

from segkit.data.sampler import PatchSampler
from segkit.evaluation.class_scores import count_classes


def count_patches(model: keras.Model, sampler: PatchSampler) -> np.ndarray:
    """Count the pixels of every true and predicted class over all patches of a sampler.

    Each patch is predicted by itself. Unannotated pixels do not count; where patches overlap, pixels count as
    often as they occur.

    Args:
        model: Network from ``(batch, y, x, 1)`` to ``{"logits": (batch, y, x, num_classes)}``.
        sampler: The patches; each is taken once.

    Returns:
        int64, shape ``(num_classes, num_classes)``: true class, predicted class; ``class_scores`` makes scores of it.
    """
    inputs = keras.Input(model.input_shape[1:], name="voxels")
    classes = keras.ops.argmax(model(inputs, training=False)["logits"], axis=-1)
    predictor = keras.Model(inputs, keras.ops.cast(classes, "int32"))
    if keras.backend.backend() == "tensorflow":
        predictor.jit_compile = False  # XLA is slower on CPUs
    num_classes = model.output["logits"].shape[-1]
    total = np.zeros((num_classes, num_classes), np.int64)
    for step in range(sampler.steps_per_epoch):
        images, targets = sampler.batch(step)
        predicted = np.asarray(predictor.predict_on_batch(images))
        total += count_classes(predicted, targets[..., 0], num_classes, targets[..., -1] > 0)
    return total
