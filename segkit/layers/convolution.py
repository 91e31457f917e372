"""Keras's convolution for a number of spatial axes."""

from __future__ import annotations

import keras

_BY_AXES = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}


def convolution(axes: int) -> type[keras.layers.Layer]:
    """Return the layer class that convolves along a number of spatial axes.

    Args:
        axes: 1 for lines, 2 for images, 3 for volumes.

    Raises:
        ValueError: If Keras has no such convolution.
    """
    if axes not in _BY_AXES:
        raise ValueError(f"inputs must be (batch, ..., channels) with one to three spatial axes. Received: axes={axes}")
    return _BY_AXES[axes]
