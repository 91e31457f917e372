"""The tf.data pipeline over a sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from segkit.data.sampler import LOGITS, Spans, named_targets

if TYPE_CHECKING:
    from segkit.data.sampler import PatchSampler

# NumPy holds Python's lock between its loops, so threads wait for each other: more threads than cores keep cores busy.
_BATCHES_AT_ONCE = 6


def patch_dataset(sampler: PatchSampler, *, first_epoch: int = 0, outputs: Spans = LOGITS) -> tf.data.Dataset:
    """Return an endless stream of epochs as a ``tf.data.Dataset``.

    The stream runs over step numbers; patches are cut, augmented and normalised one batch per step, in several
    threads but in order. Nothing depends on how often the stream has been iterated. Give
    ``steps_per_epoch=sampler.steps_per_epoch`` to ``fit``.

    Args:
        sampler: Source of the batches.
        first_epoch: Number of the first epoch of the stream.
        outputs: Names of the model's outputs, and the channels of the target that each is compared with.

    Returns:
        Dataset of ``(images, {output: targets, ...})``: float32 ``(batch, *patch_shape, channels)``, and the channels
        of each output with the weight behind them.
    """
    shape = (None, *sampler.table.patch_shape)
    spans = list(dict.fromkeys(outputs.values()))  # outputs that share their channels share one array

    def batch(step: np.ndarray) -> list[np.ndarray]:
        images, targets = sampler.batch(int(step))
        parts = named_targets(targets, dict(enumerate(spans)))
        return [images, *(parts[i] for i in range(len(spans)))]

    def cut(step: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        # A step always gives the same batch, so the function counts as stateless.
        images, *targets = tf.numpy_function(batch, [step], [tf.float32] * (1 + len(spans)), stateful=False)
        # `numpy_function` loses the shape, which Keras needs to build the network.
        images = tf.ensure_shape(images, (*shape, sampler.channels))
        by_span = {
            span: tf.ensure_shape(part, (*shape, span[1] - span[0] + 1))
            for span, part in zip(spans, targets, strict=True)
        }
        return images, {name: by_span[span] for name, span in outputs.items()}

    stream = tf.data.Dataset.range(first_epoch * sampler.steps_per_epoch, tf.int64.max)
    return stream.map(cut, num_parallel_calls=_BATCHES_AT_ONCE, deterministic=True).prefetch(2)
