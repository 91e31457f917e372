"""The confusion of a network on the patches of a sampler: the scores of papers that cut images into tiles."""

from __future__ import annotations

import keras
import numpy as np

from segkit.data.sampler import PatchSampler
from segkit.evaluation.class_scores import count_classes


class PatchCounter:
    """Count the pixels of every true and predicted class over all patches of samplers.

    Each patch is predicted by itself. Unannotated pixels do not count; where patches overlap, pixels count as often as
    they occur. The network is traced once, however many samplers follow, and counted with the weights and statistics
    that it has at the time.

    Args:
        model: Network from ``(batch, ..., channels)`` to ``{"logits": (batch, ..., num_classes)}``.
    """

    def __init__(self, model: keras.Model) -> None:
        inputs = keras.Input(model.input_shape[1:], name="voxels")
        # In the compiled model, so that one number per pixel comes back and not one per class.
        classes = keras.ops.argmax(model(inputs, training=False)["logits"], axis=-1)
        self._predictor = keras.Model(inputs, keras.ops.cast(classes, "int32"))
        if keras.backend.backend() == "tensorflow":
            self._predictor.jit_compile = False  # XLA is slower on CPUs
        self._num_classes = model.output["logits"].shape[-1]

    def count(self, sampler: PatchSampler) -> np.ndarray:
        """Return the counts of all patches of a sampler, each taken once.

        Returns:
            int64, shape ``(num_classes, num_classes)``: true class, predicted class; ``class_scores`` makes scores of
            it.
        """
        total = np.zeros((self._num_classes, self._num_classes), np.int64)
        for step in range(sampler.steps_per_epoch):
            images, targets = sampler.batch(step)
            predicted = np.asarray(self._predictor.predict_on_batch(images))
            total += count_classes(predicted, targets[..., 0], self._num_classes, targets[..., -1] > 0)
        return total
