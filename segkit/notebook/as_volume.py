"""What a notebook may pass as a volume: an array, a volume, or a file."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

VolumeLike = npt.ArrayLike | Volume | str | os.PathLike[str]
"""An array ``(z, y, x)`` or ``(y, x)`` or what NumPy makes one of, an opened volume, or the path of one."""


def as_volume(volume: VolumeLike) -> Volume:
    """Return a volume of an array, of a file, or itself.

    Args:
        volume: An array of one slice becomes a volume of one slice.

    Raises:
        ValueError: If an array has other axes, or is masked.
        InputError: If a file cannot be read.
    """
    if isinstance(volume, Volume):
        return volume
    if isinstance(volume, (str, os.PathLike)):
        return open_volume(volume)
    if isinstance(volume, np.ma.MaskedArray):
        raise ValueError(
            "`volume` must be an array without a mask, which would be ignored; fill it with `volume.filled(value)`. "
            f"Received: a masked array of shape {volume.shape}"
        )
    array = np.asarray(volume)
    if array.ndim not in (2, 3):
        raise ValueError(f"`volume` must have the axes (z, y, x) or (y, x). Received: shape={array.shape}")
    return Volume(array=array[None] if array.ndim == 2 else array)
