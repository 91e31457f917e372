"""A 3-D array together with what its file says about it."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class ArrayLike3D(Protocol):
    """What every volume's array offers: a part is read when it is asked for, and comes as ``np.ndarray``.

    ``np.ndarray``, ``np.memmap``, ``h5py.Dataset`` and ``LazyVolume`` all do.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent along (z, y, x)."""

    @property
    def dtype(self) -> np.dtype:
        """Type of one voxel."""

    @property
    def ndim(self) -> int:
        """Number of axes, 3."""

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read the part at ``index``: integers, slices and ``...``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A volume presented as (z, y, x), with voxel size, origin and the marks of the file it came from.

    Rows (y) stand in the order of the file. Which end of y is drawn at the top depends on program and format:
    IMOD and Fiji draw row 0 of an MRC file at the bottom, that of a TIFF file at the top.

    Args:
        array: The voxels, indexed (z, y, x); often lazy, so that only the parts asked for are read.
        voxel_size_nm: Extent of one voxel along (z, y, x) [nm]; ``None`` where it is unknown.
        origin_nm: Position of the first voxel along (z, y, x) [nm].
        axes: Order of the axes in the file, slowest first. An output of the same kind keeps it.
        format: ``"mrc"``, ``"tiff"``, ``"ome-tiff"``, ``"imagej"``, ``"hdf5"`` or ``"png"``; ``None`` for a
            volume made in memory.
        source: The file or folder it was opened from.
        metadata: What the writer of that format needs to give the same kind of file back.
        warnings: One line for everything about the file that a user should know.

    Raises:
        ValueError: If ``array`` has not three axes, a voxel size is not positive and finite, an origin is not
            finite, or ``axes`` is not an order of z, y and x.
    """

    array: ArrayLike3D
    voxel_size_nm: tuple[float, float, float] | None = None
    origin_nm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: str = "zyx"
    format: str | None = None
    source: pathlib.Path | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no volume can be."""
        if len(self.array.shape) != 3:
            raise ValueError(f"`array` must have the axes (z, y, x). Received: shape={self.array.shape}")
        size = self.voxel_size_nm
        if size is not None and not (len(size) == 3 and all(math.isfinite(s) and s > 0 for s in size)):
            raise ValueError(f"`voxel_size_nm` must be three positive numbers [nm]. Received: {size!r}")
        if len(self.origin_nm) != 3 or not all(map(math.isfinite, self.origin_nm)):
            raise ValueError(f"`origin_nm` must be three finite numbers [nm]. Received: {self.origin_nm!r}")
        if sorted(self.axes) != ["x", "y", "z"]:
            raise ValueError(f"`axes` must be an order of z, y and x. Received: axes={self.axes!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Extent along (z, y, x) [voxels]."""
        z, y, x = self.array.shape
        return int(z), int(y), int(x)

    @property
    def dtype(self) -> np.dtype:
        """Type of one voxel."""
        return np.dtype(self.array.dtype)

    @property
    def nbytes(self) -> int:
        """Size of the voxels when they are all in memory [byte]."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def name(self) -> str:
        """What messages call this volume: its path, or that it has none."""
        return "volume in memory" if self.source is None else str(self.source)
