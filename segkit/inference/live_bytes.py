"""How much memory a network holds while it runs, found by walking through its operations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from weakref import WeakKeyDictionary

import keras
import numpy as np

Arrays = Sequence[tuple[Hashable, int]]
"""Arrays as ``(identity, bytes)``."""

_FOUND: WeakKeyDictionary[keras.Model, dict[tuple[int, ...], int]] = WeakKeyDictionary()
"""Sizes of inputs and their bytes: a network is traced once, not for every volume that it predicts."""

_TRACED_PX = {2: 256, 3: 64}  # side of the traced input, by its number of axes


def live_bytes_per_px(model: keras.Model, *, multiple: int = 1) -> float | None:
    """Return the most bytes of arrays alive at a time while a model runs, for each pixel of its input.

    The model is traced, not run. For SegET that is 512 byte/px in float32 and 256 in bfloat16, held while the
    decoder's outputs are raised to one resolution and joined.

    Args:
        model: Model of one input ``(batch, y, x, channels)`` or ``(batch, z, y, x, channels)``.
        multiple: What its extents must be divisible by.

    Returns:
        Bytes per pixel; ``None`` on a backend without a trace (only TensorFlow and JAX have one).
    """
    axes = len(model.input_shape) - 2
    side = -(-_TRACED_PX[axes] // multiple) * multiple
    found = live_bytes(model, (side,) * axes)
    return None if found is None else found / side**axes


def live_bytes(model: keras.Model, size: Sequence[int]) -> int | None:
    """Return the most bytes of arrays alive at a time while a model runs on one image or volume.

    Args:
        model: Model of one input ``(batch, ..., channels)``.
        size: Extent of the input along each spatial axis [px].

    Returns:
        Bytes; ``None`` on a backend without a trace.
    """
    known, size = _FOUND.setdefault(model, {}), tuple(size)
    if size not in known:
        steps = _steps(model, (1, *size, model.input_shape[-1]))
        if steps is None:
            return None
        known[size] = peak_live_bytes(steps)
    return known[size]


def _steps(model: keras.Model, shape: tuple[int, ...]) -> list[tuple[Arrays, Arrays]] | None:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _tensorflow_steps(model, shape)
    return _jax_steps(model, shape) if backend == "jax" else None


def peak_live_bytes(steps: Iterable[tuple[Arrays, Arrays]]) -> int:
    """Return the largest sum of bytes alive over a sequence of operations.

    An array lives from the operation that makes it to the last that uses it; an operation's inputs and
    outputs are alive together. Inputs that no operation makes, such as weights, are not counted.

    Args:
        steps: ``(inputs, outputs)`` of every operation, in the order in which they run.

    Example:
        >>> peak_live_bytes([([], [("a", 4)]), ([("a", 4)], [("b", 8)]), ([("b", 8)], [("c", 1)])])
        12
    """
    steps = [(Counter(inputs), list(outputs)) for inputs, outputs in steps]
    # How often each array will still be used.
    uses = sum((inputs for inputs, _ in steps), Counter())
    made = {array for _, outputs in steps for array in outputs}
    alive = peak = 0
    for inputs, outputs in steps:
        alive += sum(size for _, size in outputs)
        peak = max(peak, alive)
        # `-=` drops counts that reach 0, so an array is in `uses` as long as an operation still needs it.
        uses -= inputs
        alive -= sum(array[1] for array in inputs if array in made and not uses[array])
        # Outputs that no operation uses do not stay either.
        alive -= sum(array[1] for array in outputs if array not in uses)
    return peak


def _tensorflow_steps(model: keras.Model, shape: tuple[int, ...]) -> list[tuple[Arrays, Arrays]]:
    import tensorflow as tf  # only where it is the backend, and loaded already

    def array(tensor: tf.Tensor) -> tuple[Hashable, int]:
        # A resource is the handle of a variable: weights are not counted.
        known = tensor.dtype != tf.resource and tensor.shape.is_fully_defined()
        return tensor.name, tensor.shape.num_elements() * tensor.dtype.size if known else 0

    function = tf.function(lambda x: model(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec(shape, tf.float32)).graph
    return [(list(map(array, op.inputs)), list(map(array, op.outputs))) for op in graph.get_operations()]


def _jax_steps(model: keras.Model, shape: tuple[int, ...]) -> list[tuple[Arrays, Arrays]]:
    import jax  # only where it is the backend, and loaded already

    def array(variable: jax.extend.core.Var) -> tuple[Hashable, int]:
        aval = variable.aval
        return id(variable), math.prod(aval.shape) * np.dtype(aval.dtype).itemsize

    traced = jax.make_jaxpr(lambda x: model(x, training=False))(jax.ShapeDtypeStruct(shape, np.float32))
    return [(list(map(array, eqn.invars)), list(map(array, eqn.outvars))) for eqn in traced.eqns]
