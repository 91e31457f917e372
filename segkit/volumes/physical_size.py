"""Lengths as TIFF writers spell them, and voxel sizes that differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segkit.volumes.volume import Volume

# What OME, Fiji and resolution tags call their units.
_NM_PER_UNIT = {
    "pm": 1e-3,
    "\u00e5": 0.1,
    "angstrom": 0.1,
    "angstroms": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "um": 1e3,
    "\u00b5m": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometers": 1e3,
    "mm": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "inch": 2.54e7,
    "in": 2.54e7,
}


def nm_per_unit(unit: str | None) -> float | None:
    """Return the length of a unit [nm], ``None`` where it is no length (such as ``pixel``)."""
    # Both micro signs, and the escapes that Fiji writes for them.
    plain = (unit or "").strip().strip("\"'").lower()
    for micro in ("\u03bc", "\\u00b5", "\\u03bc"):
        plain = plain.replace(micro, "\u00b5")
    return _NM_PER_UNIT.get(plain.replace("\\u00e5", "\u00e5").replace("\u212b", "\u00e5"))


def complete_voxel_size(
    z: float | None, y: float | None, x: float | None, num_slices: int, warnings: list[str]
) -> tuple[float, float, float] | None:
    """Make a voxel size of what a file says, and note what it does not say.

    Args:
        z: Distance of the slices [nm], ``None`` where the file does not say.
        y: Height of a pixel [nm].
        x: Width of a pixel [nm].
        num_slices: Number of slices; the thickness of a single one may be missing.
        warnings: Receives one line where something is missing.

    Returns:
        (z, y, x) [nm], or ``None`` where it stays unknown.
    """
    good = [size is not None and math.isfinite(size) and size > 0 for size in (z, y, x)]
    if all(good):
        return float(z), float(y), float(x)
    if not (good[1] and good[2]):
        warnings.append("voxel size unknown: the file does not give the size of a pixel with a unit of length")
        return None
    if num_slices == 1:
        warnings.append(f"the thickness of the only slice is not in the file; taken as the pixel width {x:g} nm")
        return float(x), float(y), float(x)
    warnings.append(f"voxel size unknown: the pixels are {y:g} x {x:g} nm, but the file gives no slice distance")
    return None


def other_voxels(volume: Volume, other: Volume, what: str, *, tolerance: float = 0.05) -> str | None:
    """Return how the voxels of two volumes of one shape differ in size; ``None`` where they do not, or one is unknown.

    The thickness of a single slice is not compared. A size of 1 angstrom, 1 micrometre or 1 millimetre along every axis
    is what programs write where they know none.

    Args:
        volume: The volume that the line is about.
        other: What it is compared with.
        what: What ``other`` is called in the line.
        tolerance: Relative difference that is borne: formats round.

    Example:
        >>> import numpy as np
        >>> mask, tomogram = (Volume(array=np.zeros((2, 3, 4)), voxel_size_nm=(size, 2.0, 2.0)) for size in (5.0, 8.0))
        >>> other_voxels(mask, tomogram, "its tomogram")
        'has voxels of 5 x 2 x 2 nm (z, y, x), but its tomogram of 8 x 2 x 2 nm (z, y, x)'
    """
    sizes = [each.voxel_size_nm for each in (volume, other)]
    if any(size is None or _is_dummy(size) for size in sizes):
        return None
    start = 1 if volume.shape[0] == 1 else 0
    if all(abs(a - b) <= tolerance * max(a, b) for a, b in zip(*(size[start:] for size in sizes), strict=True)):
        return None
    own, others = map(shown_size, sizes)
    return f"has voxels of {own}, but {what} of {others}"


_DUMMIES_NM = (0.1, 1e3, 1e6)


def _is_dummy(size: Sequence[float]) -> bool:
    return any(all(math.isclose(extent, dummy, rel_tol=1e-5) for extent in size) for dummy in _DUMMIES_NM)


def shown_size(size: Sequence[float]) -> str:
    """Return a voxel size as messages give it.

    Example:
        >>> shown_size((5.0, 2.0, 2.0))
        '5 x 2 x 2 nm (z, y, x)'
    """
    return f"{' x '.join(f'{extent:.4g}' for extent in size)} nm (z, y, x)"
