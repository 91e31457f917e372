"""Connected components of every slice on its own, numbered over the volume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.measure import label

from segkit.instances.renumber import renumbered, smallest_id_dtype
from segkit.volumes.lazy_volume import LazyVolume, slice_stack


def slice_components(
    read_slice: Callable[[int], np.ndarray], shape: tuple[int, int, int], *, min_size: int = 1
) -> LazyVolume:
    """Give every connected component of a slice an id; components of different slices are never one.

    Pixels connected by edges are one component. Every slice is read once to count its components, and again whenever
    its ids are read, so that no more than a few slices are in memory.

    Args:
        read_slice: Called with an index along z; returns a mask ``(y, x)``, nonzero in the foreground.
        shape: Extent along ``(z, y, x)`` [voxels].
        min_size: Components of fewer pixels are left out.

    Returns:
        Ids from 1 on without gaps, increasing along z, 0 for background, of the smallest type that holds them,
        ``(z, y, x)``.

    Example:
        >>> mask = np.array([[[1, 0, 1]], [[1, 0, 0]]])
        >>> slice_components(lambda z: mask[z], mask.shape)[:].tolist()
        [[[1, 0, 2]], [[3, 0, 0]]]
    """

    def separated(z: int) -> np.ndarray:
        found = label(np.asarray(read_slice(z)) != 0, connectivity=1)
        return renumbered(found, keep=np.flatnonzero(np.bincount(found.ravel()) >= max(1, min_size)))

    counts = [int(separated(z).max(initial=0)) for z in range(shape[0])]
    before = np.cumsum([0, *counts])
    dtype = smallest_id_dtype(int(before[-1]))

    def read(z: int) -> np.ndarray:
        ids = separated(z)
        # Unsigned from the start: a signed offset would turn ids of 64 bits into floating-point numbers.
        return np.where(ids > 0, ids.astype(dtype) + dtype.type(before[z]), dtype.type(0))

    return slice_stack(read, shape, dtype)
