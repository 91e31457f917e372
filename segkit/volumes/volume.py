"""An array with named axes together with what its file says about it."""

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
        """Extent along every axis, such as (z, y, x)."""

    @property
    def dtype(self) -> np.dtype:
        """Type of one voxel."""

    @property
    def ndim(self) -> int:
        """Number of axes, 3 for all that is read from files."""

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read the part at ``index``: integers, slices and ``...``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A volume with named axes, voxel size, origin and the marks of the file it came from.

    What is read from a file is presented as (z, y, x). A volume made in memory may have a channel axis and a time axis
    besides; what works on (z, y, x) alone refuses it through ``segkit.volumes.checks.check_axes``.

    Rows (y) are in the order of the file. Which end of y is drawn at the top depends on program and format:
    IMOD and Fiji draw row 0 of an MRC file at the bottom, that of a TIFF file at the top.

    Args:
        array: The voxels, indexed as ``axes`` says; often lazy, so that only the parts asked for are read.
        voxel_size_nm: Extent of one voxel along (z, y, x) [nm]; ``None`` where it is unknown.
        origin_nm: Position of the first voxel along (z, y, x) [nm].
        axes: Names of the axes of ``array``, one letter each: ``z``, ``y`` and ``x`` in this order, and possibly ``c``
            for channels and ``t`` for time, anywhere.
        file_axes: Order of z, y and x in the file, slowest first. An output of the same kind keeps it.
        format: ``"mrc"``, ``"tiff"``, ``"ome-tiff"``, ``"imagej"``, ``"hdf5"`` or ``"png"``; ``None`` for a
            volume made in memory.
        source: The file or folder it was opened from.
        metadata: What the writer of that format needs to give the same kind of file back, and under
            ``"display_range"`` the two values that programs should draw black and white.
        warnings: One line for everything about the file that a user should know.

    Raises:
        ValueError: If ``array`` has not the axes that ``axes`` names, a voxel size is not positive and finite, an
            origin is not finite, or ``file_axes`` is not an order of z, y and x.

    Example:
        >>> volume = Volume(array=np.zeros((2, 5, 6, 7)), axes="czyx")
        >>> volume.shape, volume.array.shape
        ((5, 6, 7), (2, 5, 6, 7))
    """

    array: ArrayLike3D
    voxel_size_nm: tuple[float, float, float] | None = None
    origin_nm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: str = "zyx"
    file_axes: str = "zyx"
    format: str | None = None
    source: pathlib.Path | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no volume can be."""
        # The second condition finds axes that are named twice.
        further = sorted(set(self.axes) - set("zyx"))
        if "".join(axis for axis in self.axes if axis in "zyx") != "zyx" or len(self.axes) != 3 + len(further):
            raise ValueError(f"`axes` must hold z, y and x in this order, each axis once. Received: axes={self.axes!r}")
        if not set(further) <= {"c", "t"}:
            raise ValueError(f"`axes` may hold c and t besides z, y and x. Received: axes={self.axes!r}")
        if len(self.array.shape) != len(self.axes):
            raise ValueError(f"`array` must have the axes ({', '.join(self.axes)}). Received: shape={self.array.shape}")
        size = self.voxel_size_nm
        if size is not None and not (len(size) == 3 and all(math.isfinite(s) and s > 0 for s in size)):
            raise ValueError(f"`voxel_size_nm` must be three positive numbers [nm]. Received: {size!r}")
        if len(self.origin_nm) != 3 or not all(map(math.isfinite, self.origin_nm)):
            raise ValueError(f"`origin_nm` must be three finite numbers [nm]. Received: {self.origin_nm!r}")
        if sorted(self.file_axes) != ["x", "y", "z"]:
            raise ValueError(f"`file_axes` must be an order of z, y and x. Received: file_axes={self.file_axes!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Extent along (z, y, x) [voxels]."""
        z, y, x = (int(self.array.shape[self.axes.index(axis)]) for axis in "zyx")
        return z, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of one voxel."""
        return np.dtype(self.array.dtype)

    @property
    def nbytes(self) -> int:
        """Size of the voxels when they are all in memory [byte]."""
        return math.prod(self.array.shape) * self.dtype.itemsize

    @property
    def name(self) -> str:
        """What messages call this volume: its path, or that it has none."""
        return "volume in memory" if self.source is None else str(self.source)
