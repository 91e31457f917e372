"""Arrays that are read from their file a region at a time."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from segkit.volumes.volume import ArrayLike3D

Region = tuple[slice, slice, slice]

_CACHE_BYTES = 64 * 2**20
_CACHE_SLICES = 8


class LazyVolume:
    """A read-only array (z, y, x) that reads voxels on access.

    Indexing follows numpy for integers, slices (negative steps too) and ``...``; each gives an
    ``np.ndarray``.

    Args:
        read_region: Called with three slices, all within bounds and with positive steps; gives the 3-D array
            of that region.
        shape: Extent along (z, y, x).
        dtype: Type of one voxel.
    """

    ndim = 3

    def __init__(self, read_region: Callable[[Region], np.ndarray], shape: tuple[int, int, int], dtype: Any):
        self._read_region = read_region
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of all voxels in memory [byte]."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of slices."""
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read everything."""
        if copy is False:
            raise ValueError("`copy` must not be False: a lazy volume is read into new memory. Received: copy=False")
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read the part at ``index``."""
        picks = [_pick(i, n, axis) for axis, (i, n) in enumerate(zip(_expanded(index), self.shape, strict=True))]
        # Integers are read as ranges of one; their axes are dropped at the end, as in NumPy.
        drop = tuple(0 if isinstance(pick, int) else slice(None) for pick in picks)
        ranges = [range(pick, pick + 1) if isinstance(pick, int) else pick for pick in picks]
        if not all(map(len, ranges)):
            return np.empty([len(r) for r in ranges], self.dtype)[drop]
        # Readers take positive steps only: negative ones are read ascending and turned around in memory.
        turn = tuple(slice(None, None, -1 if r.step < 0 else 1) for r in ranges)
        ascending = [r[::-1] if r.step < 0 else r for r in ranges]
        region = self._read_region(tuple(slice(r[0], r[-1] + 1, r.step) for r in ascending))
        return region[turn][drop]

    def __repr__(self) -> str:
        """Show shape and type, not the voxels."""
        return f"LazyVolume(shape={self.shape}, dtype={self.dtype})"


def slice_stack(read_slice: Callable[[int], np.ndarray], shape: tuple[int, int, int], dtype: Any) -> LazyVolume:
    """Make a volume of slices that can only be read whole, such as compressed pages.

    The slices read last are kept (at most 8, and at most 64 MiB), so that neighbouring tiles of a slice cost
    one read.

    Args:
        read_slice: Gives the slice (y, x) of an index along z.
        shape: Extent along (z, y, x).
        dtype: Type of one voxel.

    Returns:
        The lazy volume.
    """
    slice_bytes = max(1, shape[1] * shape[2] * np.dtype(dtype).itemsize)
    # One slice at least, however large it is.
    kept = max(1, min(_CACHE_SLICES, _CACHE_BYTES // slice_bytes))
    cached = functools.lru_cache(maxsize=kept)(read_slice)

    def read_region(region: Region) -> np.ndarray:
        z, y, x = region
        # A copy, so that callers cannot write into the kept slice.
        return np.stack([np.asarray(cached(k), dtype=dtype)[y, x] for k in range(z.start, z.stop, z.step)])

    return LazyVolume(read_region, shape, dtype)


def transposed(array: ArrayLike3D, order: tuple[int, int, int]) -> ArrayLike3D:
    """Reorder the axes without reading anything; axis ``i`` of the result is axis ``order[i]``."""
    if order == (0, 1, 2):
        return array
    if isinstance(array, np.ndarray):
        return array.transpose(order)
    # The inverse permutation: axis `a` of the source is axis `back[a]` of the result.
    back = tuple(order.index(axis) for axis in range(3))

    def read_region(region: Region) -> np.ndarray:
        return np.asarray(array[tuple(region[axis] for axis in back)]).transpose(order)

    return LazyVolume(read_region, tuple(array.shape[axis] for axis in order), array.dtype)


def flipped_rows(array: ArrayLike3D) -> ArrayLike3D:
    """Reverse the order of the rows (y) without reading anything."""
    if isinstance(array, np.ndarray):
        return array[:, ::-1, :]
    last = array.shape[1] - 1

    def read_region(region: Region) -> np.ndarray:
        z, y, x = region
        rows = range(y.start, y.stop, y.step)
        # The same rows counted from the other end, ascending again.
        mirrored = slice(last - rows[-1], last - rows[0] + 1, y.step)
        return np.asarray(array[z, mirrored, x])[:, ::-1, :]

    return LazyVolume(read_region, array.shape, array.dtype)


def in_native_byte_order(array: ArrayLike3D) -> ArrayLike3D:
    """Swap the bytes of what is read where the file's order is not the machine's."""
    if array.dtype.isnative:
        return array
    native = array.dtype.newbyteorder("=")
    return LazyVolume(lambda region: np.asarray(array[region]).astype(native), array.shape, native)


def _expanded(index: Any) -> tuple[Any, Any, Any]:
    """Write an index out as one entry per axis."""
    entries = index if isinstance(index, tuple) else (index,)
    ellipses = sum(entry is Ellipsis for entry in entries)
    if len(entries) - ellipses > 3 or ellipses > 1:
        raise IndexError(f"`index` must have at most three entries and one `...`. Received: index={index!r}")
    if not ellipses:
        entries = (*entries, Ellipsis)
    at = next(i for i, entry in enumerate(entries) if entry is Ellipsis)
    # The ellipsis stands for what is left of three axes.
    return (*entries[:at], *[slice(None)] * (4 - len(entries)), *entries[at + 1 :])


def _pick(entry: Any, length: int, axis: int) -> int | range:
    """Resolve one entry to a position within bounds, or to the range of positions it names."""
    if isinstance(entry, slice):
        return range(length)[entry]
    try:
        position = operator.index(entry)
    except TypeError:
        raise TypeError(f"`index` must hold integers and slices. Received: {entry!r}") from None
    if not -length <= position < length:
        raise IndexError(f"`index` must lie within axis {axis} of {length}. Received: {position}")
    return position % length
