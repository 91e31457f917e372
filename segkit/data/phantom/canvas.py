"""The volume a phantom is painted on: density, who owns each voxel, and boxes in nanometres."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

FREE = 0  # owner codes: 1, 2, ... are the structures
BODY = 200  # a membrane or an organelle that no mask shows
MARGIN = 250  # cytoplasm that keeps objects apart; texture may enter, objects may not
SLAB_VOXELS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Window:
    """A box of the canvas, with the positions of its voxel centres.

    Args:
        index: Slices (z, y, x) into the canvas arrays.
        z: Positions in nm, float32, shape ``(nz, 1, 1)``.
        y: Positions in nm, float32, shape ``(1, ny, 1)``.
        x: Positions in nm, float32, shape ``(1, 1, nx)``.
    """

    index: tuple[slice, slice, slice]
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray


class Canvas:
    """Density and ownership of every voxel, addressed in nanometres.

    Voxel ``i`` of an axis has its centre at ``(i + 0.5) * voxel_size_nm``; the volume spans 0 to
    ``extent_nm``.

    Args:
        shape: Voxels (z, y, x).
        voxel_size_nm: Size of a voxel in nm (z, y, x).
        density: Stain of the empty cytoplasm, where everything is painted on.
    """

    def __init__(self, shape: tuple[int, int, int], voxel_size_nm: tuple[float, float, float], density: float) -> None:
        self.shape = shape
        self.voxel_size_nm = voxel_size_nm
        self.extent_nm = np.array(shape) * np.array(voxel_size_nm)
        # Width of soft edges: the side of a cube of a voxel's volume.
        self.edge_nm = float(np.prod(voxel_size_nm) ** (1 / 3))
        self.density = np.full(shape, density, np.float32)
        self.owner = np.zeros(shape, np.uint8)

    @property
    def field_nm(self) -> float:
        """Shorter side of a slice in nm."""
        return float(self.extent_nm[1:].min())

    @property
    def area_um2(self) -> float:
        """Area of a slice in square micrometres."""
        return float(np.prod(self.extent_nm[1:])) * 1e-6

    def window(self, low_nm: np.ndarray, high_nm: np.ndarray, step: int = 1) -> Window | None:
        """Cut the box from ``low_nm`` to ``high_nm`` (z, y, x) out of the canvas, every ``step``-th voxel.

        Returns:
            The window, or None where the box misses the volume.
        """
        index, positions = [], []
        for axis in range(3):
            size, count = self.voxel_size_nm[axis], self.shape[axis]
            first = max(int(np.floor(low_nm[axis] / size)), 0)
            stop = min(int(np.ceil(high_nm[axis] / size)), count)
            if stop <= first:
                return None
            index.append(slice(first, stop, step))
            # Positions along one axis broadcast against those of the others.
            reach = [1, 1, 1]
            reach[axis] = -1
            positions.append(((np.arange(first, stop, step, dtype=np.float32) + 0.5) * size).reshape(reach))
        return Window(tuple(index), *(p.astype(np.float32) for p in positions))

    def slabs(self, window: Window) -> Iterator[Window]:
        """Cut a window into slabs along z that are small enough to compute on."""
        zs, ys, xs = window.index
        # Slices of the window that stay within the bound; one at least.
        rows = max(1, SLAB_VOXELS // (window.y.size * window.x.size))
        for first in range(0, window.z.size, rows):
            z = window.z[first : first + rows]
            start = zs.start + first
            yield Window((slice(start, start + z.size), ys, xs), z, window.y, window.x)

    def around(self, center_zyx: np.ndarray, radius_nm: float, step: int = 1) -> Window | None:
        """Cut the cube that holds the sphere of ``radius_nm`` about ``center_zyx`` out of the canvas."""
        center = np.asarray(center_zyx)
        return self.window(center - radius_nm, center + radius_nm, step)

    def coarse_step(self, spacing_nm: float) -> int:
        """Voxels to skip in a search for free room: about ``spacing_nm`` apart."""
        return max(1, int(spacing_nm / max(self.voxel_size_nm)))

    def is_free(self, window: Window, region: np.ndarray) -> bool:
        """Whether ``region`` (bool, shape of the window) holds a voxel, and none that has an owner."""
        return bool(region.any()) and not self.owner[window.index][region].any()

    def claim(self, window: Window, region: np.ndarray, code: int, margin: np.ndarray | None = None) -> None:
        """Make ``code`` the owner of ``region``; keep other objects out of ``margin`` where it is free."""
        # A view, written through.
        owner = self.owner[window.index]
        if margin is not None:
            owner[margin & (owner == FREE)] = MARGIN
        owner[region] = code

    def paint(self, window: Window, coverage: np.ndarray, value: np.ndarray | float) -> None:
        """Blend ``value`` over the density with the opacity ``coverage`` (0 to 1)."""
        # A view: `+=` writes into the canvas.
        density = self.density[window.index]
        density += coverage * (value - density)
