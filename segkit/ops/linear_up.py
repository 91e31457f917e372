"""Linear upsampling by whole factors that also works where sizes are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def linear_up(inputs: Any, factor: int | Sequence[int] = 2) -> Any:
    """Upsample every spatial axis by a whole factor, linearly, with half-pixel centres.

    Output position ``factor * i + p`` is at input coordinate ``i + (p + 0.5) / factor - 0.5``; beyond the border the
    edge value is repeated. For images whose size is known it is ``keras.ops.image.resize(..., "bilinear")``, which
    makes a training step of SegET a quarter faster; that function takes images alone and fails on an unknown size
    (Keras 3.14.1 to 3.15.1), where the same sums are made of slices.

    Args:
        inputs: Tensor, shape ``(batch, ..., channels)``, any number of spatial axes; their sizes may be unknown inside
            a layer's ``call``.
        factor: Positive whole factor of all spatial axes, or one per axis. 1 leaves an axis as it is.

    Returns:
        Tensor of ``factor`` times the size along every spatial axis, dtype of ``inputs``; ``inputs`` itself if every
        factor is 1.
    """
    sizes = inputs.shape[1:-1]
    factors = (factor,) * len(sizes) if isinstance(factor, int) else tuple(factor)
    if all(f == 1 for f in factors):
        return inputs
    if len(sizes) == 2 and None not in sizes:
        # Of a narrower type Keras clips the result to its range, at the cost of a tenth of a training step.
        values = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        size = tuple(size * f for size, f in zip(sizes, factors, strict=True))
        resized = ops.image.resize(values, size, "bilinear", data_format="channels_last")
        return ops.cast(resized, inputs.dtype)
    for axis, (_, f) in enumerate(zip(sizes, factors, strict=True), start=1):
        inputs = _stretch(inputs, f, axis)
    return inputs


def _stretch(inputs: Any, factor: int, axis: int) -> Any:
    if factor == 1:
        return inputs
    # Neighbours x[i - 1] and x[i + 1], the edge repeated.
    before = ops.concatenate([_span(inputs, axis, None, 1), _span(inputs, axis, None, -1)], axis=axis)
    after = ops.concatenate([_span(inputs, axis, 1, None), _span(inputs, axis, -1, None)], axis=axis)
    phases = []
    for p in range(factor):
        # Where output p of a pixel lies relative to its centre, between -1/2 and 1/2: one neighbour alone counts.
        shift = (p + 0.5) / factor - 0.5
        neighbour = before if shift < 0 else after
        phases.append(inputs * (1 - abs(shift)) + neighbour * abs(shift))
    shape = list(ops.shape(inputs))  # whole numbers where known, so that later layers know their channels
    # (..., size, factor, ...) -> (..., size * factor, ...): the phases of a pixel follow each other.
    shape[axis] = -1
    return ops.reshape(ops.stack(phases, axis=axis + 1), [-1 if size is None else size for size in shape])


def _span(inputs: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return inputs[(slice(None),) * axis + (slice(start, stop),)]
