"""The tf.data pipeline over a sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from segkit.data.sampler import LOGITS, named_targets

if TYPE_CHECKING:
    from segkit.data.sampler import PatchSampler

# NumPy holds Python's lock between its loops, so threads wait for each other: more threads than cores keep cores busy.
_BATCHES_AT_ONCE = 6


def patch_dataset(
    sampler: PatchSampler, *, first_epoch: int = 0, outputs: Mapping[str, int] = LOGITS
) -> tf.data.Dataset:
    """Return an endless stream of epochs as a ``tf.data.Dataset``.

    The stream runs over step numbers; patches are cut, changed, weighed and normalised a batch a step, in several
    threads but in order. Nothing depends on how often the stream has been iterated. Give
    ``steps_per_epoch=sampler.steps_per_epoch`` to ``fit``.

    Args:
        sampler: Source of the batches.
        first_epoch: Number of the first epoch of the stream.
        outputs: Names of the model's outputs, and the channel of the targets that each is compared with.

    Returns:
        Dataset of ``(images, {output: targets, ...})``: float32 ``(batch, y, x, channels)`` and ``(batch, y, x, 2)``.
    """
    side = sampler.table.patch_shape[-1]

    def cut(step: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images, targets = tf.numpy_function(sampler.batch, [step], (tf.float32, tf.float32), stateful=False)
        images = tf.ensure_shape(images, (None, side, side, sampler.channels))
        targets = tf.ensure_shape(targets, (None, side, side, sampler.num_targets))
        return images, named_targets(targets, outputs)

    stream = tf.data.Dataset.range(first_epoch * sampler.steps_per_epoch, tf.int64.max)
    return stream.map(cut, num_parallel_calls=_BATCHES_AT_ONCE, deterministic=True).prefetch(2)
