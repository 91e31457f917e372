"""What simulated stacks of cells are like, and those that imitate data sets of the Cell Tracking Challenge."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellSimulation:
    """What simulated cells and their microscope are like.

    Attributes:
        shape: Voxels along ``(z, y, x)``.
        voxel_size_um: Extent of a voxel along ``(z, y, x)`` [µm].
        count: Cells to place; fewer where there is no room.
        radius_um: Mean radii along ``(z, y, x)`` [µm]; each cell turns about z.
        radius_spread: Relative standard deviation of a cell's radii.
        irregularity: How uneven surfaces are, 0 for ellipsoids to about 0.5.
        spacing: Least distance between centres in mean diameters along the line between them; below 1 cells press
            against each other.
        inside: How far centres stay from the border, in mean radii.
        fading: Share of its light that a cell loses from its middle slice to its top and bottom, in [0, 1].
        brightness_spread: Relative standard deviation of the brightness over cells.
        texture: Relative standard deviation of the brightness within a cell.
        blur_um: Standard deviation of the microscope's blur along ``(z, y, x)`` [µm].
        photons: Mean photons of a voxel in a cell of mean brightness.
        background: Mean photons of a voxel elsewhere, as a share of ``photons``.
        dtype: ``"uint8"`` or ``"uint16"``.

    Raises:
        ValueError: If an extent is not three positive numbers, or another value is out of its range.
    """

    shape: tuple[int, int, int] = (24, 192, 192)
    voxel_size_um: tuple[float, float, float] = (1.0, 0.4, 0.4)
    count: int = 40
    radius_um: tuple[float, float, float] = (5.0, 5.0, 6.0)
    radius_spread: float = 0.15
    irregularity: float = 0.15
    spacing: float = 0.9
    inside: float = 0.3
    fading: float = 0.6
    brightness_spread: float = 0.25
    texture: float = 0.25
    blur_um: tuple[float, float, float] = (1.2, 0.4, 0.4)
    photons: float = 20.0
    background: float = 0.2
    dtype: str = "uint8"

    def __post_init__(self) -> None:
        """Refuse what no stack can be."""
        for name in ("shape", "voxel_size_um", "radius_um"):
            values = getattr(self, name)
            if len(values) != 3 or not min(values) > 0:
                raise ValueError(f"`{name}` must be three positive numbers (z, y, x). Received: {values!r}")
        if self.count < 0:
            raise ValueError(f"`count` must not be negative. Received: count={self.count!r}")
        if not 0 <= self.fading <= 1:
            raise ValueError(f"`fading` must be in [0, 1]. Received: fading={self.fading!r}")
        if self.dtype not in ("uint8", "uint16"):
            raise ValueError(f"`dtype` must be 'uint8' or 'uint16'. Received: dtype={self.dtype!r}")


A549_SIM = CellSimulation(
    shape=(29, 300, 350),
    voxel_size_um=(1.0, 0.126, 0.126),
    count=1,
    radius_um=(8.0, 10.0, 13.0),
    irregularity=0.35,
    inside=0.9,
)
"""One uneven cell per stack, of the size of Fluo-C3DH-A549-SIM."""

TRIC = CellSimulation(
    shape=(13, 1745, 2440), voxel_size_um=(1.5, 0.38, 0.38), count=900, radius_um=(5.0, 4.0, 5.0), irregularity=0.05
)
"""Many ellipsoidal cells, of the size of Fluo-N3DL-TRIC."""

MDA231 = CellSimulation(
    shape=(30, 512, 512),
    voxel_size_um=(6.0, 1.242, 1.242),
    count=60,
    radius_um=(18.0, 12.0, 30.0),
    irregularity=0.4,
    spacing=0.7,
    blur_um=(5.0, 1.0, 1.0),
)
"""Long, uneven cells close together, of the size of Fluo-C3DL-MDA231."""
