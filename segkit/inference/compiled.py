"""A model as a compiled function from NumPy to NumPy."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from segkit.models.precision import with_precision
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import Task

_PLANE = (-3, -2)  # y and x

BatchFunction = Callable[[np.ndarray], np.ndarray]
"""From preprocessed slices ``(batch, y, x, channels)`` to maps ``(batch, y, x, maps)``, both float32."""


def probability_model(
    model: keras.Model,
    precision: str = "float32",
    *,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
) -> keras.Model:
    """Return a model that ends in the maps of a task and shares the weights of ``model``.

    Args:
        model: Network with the outputs of the task.
        precision: Dtype policy it computes under; another than the model's own makes a copy of the weights.
        task: What it has learnt; one structure by default.
        preprocessing: What is done to its input, for maps in grey values; mean 0 and standard deviation 1 by default.

    Returns:
        Model from ``(batch, y, x, channels)`` to float32 maps ``(batch, y, x, task.num_maps)``.
    """
    inner = with_precision(model, precision)
    inputs = keras.Input(inner.input_shape[1:], name="voxels")
    task, preprocessing = task or ForegroundTask(), preprocessing or Standardize(mean=0.0, std=1.0)
    outer = keras.Model(inputs, task.maps(inner(inputs, training=False), preprocessing))
    if keras.backend.backend() == "tensorflow":
        outer.jit_compile = False  # XLA is three times slower on CPUs, and compiles again for every shape
    return outer


def batch_function(model: keras.Model, *, tta: bool = False) -> BatchFunction:
    """Return a compiled function of batches, as ``probability_model`` made them.

    ``predict_on_batch`` is the compiled function of every Keras backend. On a CPU it took 0.99
    times as long as a bare ``tf.function`` (SegET, 512 x 512 pixels, medians of 40 calls in turn), which is within the
    noise; ``predict`` would add 40 ms per call. Every new shape costs seconds, so callers keep to one.

    Args:
        model: Model that gives probabilities.
        tta: Average over the eight flips and quarter turns.
    """

    def once(batch: np.ndarray) -> np.ndarray:  # (batch, ..., channels) -> (batch, ..., maps)
        return np.asarray(model.predict_on_batch(batch))

    return (lambda batch: mean_over_turns(once, batch)) if tta else once


def mean_over_turns(function: BatchFunction, batch: np.ndarray) -> np.ndarray:
    """Average a function over the eight flips and quarter turns of its input, each turned back.

    Args:
        function: Function of a batch.
        batch: Slices ``(batch, y, x, channels)`` or volumes ``(batch, z, y, x, channels)``; quarter turns exchange y
            and x.

    Returns:
        Mean of the eight results, float32.
    """
    total = 0.0
    for flip in (False, True):
        flipped = np.flip(batch, -2) if flip else batch
        for turns in range(4):
            # Turns and flips give views with negative strides, which a backend may not take.
            turned = function(np.ascontiguousarray(np.rot90(flipped, turns, axes=_PLANE)))
            # Undone in the opposite order: turn back, then flip back.
            back = np.rot90(turned, -turns, axes=_PLANE)
            total = total + (np.flip(back, -2) if flip else back)
    return total / np.float32(8)
