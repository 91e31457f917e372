"""The same batches without TensorFlow: a Keras ``PyDataset`` over a sampler."""

from __future__ import annotations

import keras
import numpy as np

from segkit.data.sampler import LOGITS, PatchSampler, Spans, named_targets


class PatchPyDataset(keras.utils.PyDataset):
    """An endless stream of epochs for backends where TensorFlow is absent.

    Twin of ``segkit.data.pipeline.patch_dataset``: the same arrays in the same order. Give
    ``steps_per_epoch=sampler.steps_per_epoch`` to ``fit``.

    Args:
        sampler: Source of the batches.
        first_epoch: Number of the first epoch of the stream.
        outputs: Names of the model's outputs, and the channels of the target that each is compared with.
        workers: Threads that cut patches ahead of the training.
    """

    def __init__(
        self,
        sampler: PatchSampler,
        *,
        first_epoch: int = 0,
        outputs: Spans = LOGITS,
        workers: int = 2,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.sampler = sampler
        self.first_epoch = first_epoch
        self.outputs = dict(outputs)

    @property
    def num_batches(self) -> None:
        """``None``: the stream has no end."""
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        images, targets = self.sampler.batch(self.first_epoch * self.sampler.steps_per_epoch + index)
        return images, named_targets(targets, self.outputs)
