"""Annotations of a few strokes: a label for what is painted, 0 for all that is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.volume import Volume

UNPAINTED = 255
"""Value of voxels without a stroke, the ``ignore_value`` of a training on strokes."""


def from_strokes(strokes: Volume) -> Volume:
    """Return an annotation whose unpainted voxels are distinguished from background.

    Painting programs number labels from 1 and leave 0 where nothing was painted. Here 1 is background and 2 the
    structure; with several classes, 1, 2, 3, ... are the classes in their order.

    Args:
        strokes: Labels, whole numbers from 0 to 255, ``(z, y, x)``; read by slices.

    Returns:
        uint8 of the same shape: the label less 1, ``UNPAINTED`` where there is none.

    Raises:
        InputError: When a slice is read that holds other values.
    """

    def read(z: int) -> np.ndarray:
        values: Any = np.asarray(strokes.array[z])
        # Negative values and NaN are not in the range either.
        if not ((values >= 0) & (values <= UNPAINTED) & (values == np.floor(values))).all():
            raise InputError(
                f"{strokes.name}: found values other than whole numbers from 0 to {UNPAINTED} in slice {z}, expected "
                "strokes: 0 where nothing is painted, 1 for background, 2 and more for structures"
            )
        return np.where(values == 0, UNPAINTED, values - 1).astype(np.uint8)

    return dataclasses.replace(strokes, array=slice_stack(read, strokes.shape, np.uint8))
