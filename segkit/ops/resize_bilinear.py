"""Bilinear resizing to any size, also where the size of the input is unknown."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def resize_bilinear(inputs: Any, size: tuple[Any, Any]) -> Any:
    """Resize two spatial axes bilinearly with half-pixel centres, averaging where the result is smaller.

    Each axis is multiplied by a matrix whose row ``o`` weighs the pixels ``i`` around the output's centre,
    ``max(0, 1 - |i - c| / s)`` with ``c = (o + 1/2) * n / m - 1/2`` and ``s = max(1, n / m)`` for ``n`` pixels that
    become ``m``, divided by its sum. That is ``keras.ops.image.resize(..., "bilinear", antialias=True)``, which fails
    on an unknown size (Keras 3.14.1 to 3.15.1).

    Args:
        inputs: Tensor, shape ``(batch, y, x, channels)``; ``y`` and ``x`` may be unknown inside a layer's ``call``.
        size: Height and width of the result [px], whole numbers or scalar tensors, positive.

    Returns:
        Tensor, shape ``(batch, *size, channels)``, dtype of ``inputs``; ``inputs`` itself if it has that size.

    Raises:
        ValueError: If the input has other axes.
    """
    if len(inputs.shape) != 4:
        raise ValueError(f"`inputs` must be images (batch, y, x, channels). Received: shape={tuple(inputs.shape)}")
    if all(isinstance(extent, int) for extent in size) and tuple(inputs.shape[1:3]) == tuple(size):
        return inputs
    values = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
    shape = ops.shape(inputs)
    rows, columns = (_weights(shape[axis + 1], size[axis], values.dtype) for axis in (0, 1))
    # Rows first, then columns: two small products in place of one over all pairs of pixels.
    values = ops.einsum("oy,byxc->boxc", rows, values)
    return ops.cast(ops.einsum("px,boxc->bopc", columns, values), inputs.dtype)


def _weights(count: Any, new_count: Any, dtype: Any) -> Any:
    """Return the matrix that resizes an axis, shape ``(new_count, count)``."""
    ratio = ops.cast(count, dtype) / ops.cast(new_count, dtype)
    centres = (ops.cast(ops.arange(new_count), dtype) + 0.5) * ratio - 0.5
    distance = ops.abs(ops.cast(ops.arange(count), dtype)[None] - centres[:, None])
    weights = ops.relu(1.0 - distance / ops.maximum(ratio, 1.0))
    # At the border part of the triangle lies outside the image.
    return weights / ops.sum(weights, axis=1, keepdims=True)
