"""The voxel size in the several places where TIFF files keep it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import tifffile

from segkit.volumes.physical_size import complete_voxel_size, nm_per_unit

# Resolution tags in inches or centimetres mostly mean a printer (72 dpi is 0.35 mm). Pixels below this are
# taken.
_PRINTER_PIXEL_NM = 10_000.0

_Sizes = tuple[float | None, float | None, float | None]


def tiff_voxel_size(tif: tifffile.TiffFile, num_slices: int, warnings: list[str]) -> tuple[float, float, float] | None:
    """Read the voxel size of an open TIFF file.

    OME-TIFF: ``PhysicalSizeZ/Y/X`` with their units. ImageJ: ``spacing`` and ``unit`` with the resolution
    tags.
    Plain: resolution tags in inches or centimetres if they cannot be a printer's, with ``spacing`` and
        ``unit``
    from a JSON description.

    Args:
        tif: The file.
        num_slices: Number of slices of the volume.
        warnings: Receives one line where the size is not all there.

    Returns:
        (z, y, x) [nm], or ``None`` where it is unknown.
    """
    if tif.is_ome:
        sizes = _from_ome(tif.ome_metadata or "")
    elif tif.is_imagej:
        sizes = _from_imagej(tif, warnings)
    else:
        sizes = _from_tags(tif)
    return complete_voxel_size(*sizes, num_slices, warnings)


def _from_ome(xml: str) -> _Sizes:
    try:
        pixels = ET.fromstring(xml).find(".//{*}Pixels")
    except ET.ParseError:
        # Without readable metadata the size is unknown, which the caller notes.
        return None, None, None
    attributes = {} if pixels is None else pixels.attrib

    def size(axis: str) -> float | None:
        scale = nm_per_unit(attributes.get(f"PhysicalSize{axis}Unit", "um"))
        value = _number(attributes.get(f"PhysicalSize{axis}"))
        return None if scale is None or value is None else value * scale

    return size("Z"), size("Y"), size("X")


def _from_imagej(tif: tifffile.TiffFile, warnings: list[str]) -> _Sizes:
    metadata = tif.imagej_metadata or {}
    unit, spacing = metadata.get("unit"), _number(metadata.get("spacing"))
    scale = nm_per_unit(unit)
    # Inches and centimetres may be a printer's here too.
    y, x = _pixel_nm(tif, None if unit in ("inch", "cm") else scale)
    if scale is None or y is None:
        return None, y, x
    if spacing is None and metadata.get("images", 1) > 1:
        # ImageJ leaves a slice distance of exactly 1 out.
        spacing = 1.0
        warnings.append(f"ImageJ gives no slice distance, which means 1 unit; taken as {scale:g} nm")
    z = None if spacing is None else abs(spacing) * scale
    return z, y, x


def _from_tags(tif: tifffile.TiffFile) -> _Sizes:
    described = (tif.shaped_metadata or ({},))[0]
    scale, spacing = nm_per_unit(described.get("unit")), _number(described.get("spacing"))
    y, x = _pixel_nm(tif)
    return (None if scale is None or spacing is None else spacing * scale), y, x


def _pixel_nm(tif: tifffile.TiffFile, nm_per_resolution_unit: float | None = None) -> tuple[float | None, float | None]:
    """Return height and width of a pixel [nm] from the resolution tags, where they mean something."""
    tags = tif.pages.first.tags
    unit = nm_per_resolution_unit
    if unit is None:
        # TIFF 6.0: 2 is inch, the default, 3 is centimetre; 1 is no unit.
        unit = {2: 2.54e7, 3: 1e7}.get(int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2)
    y, x = (_per_unit(tags[name].value) if name in tags else None for name in ("YResolution", "XResolution"))
    if unit is None or y is None or x is None:
        return None, None
    # Resolutions are pixels per unit.
    if nm_per_resolution_unit is None and max(unit / y, unit / x) > _PRINTER_PIXEL_NM:
        return None, None
    return unit / y, unit / x


def _per_unit(rational: tuple[int, int]) -> float | None:
    numerator, denominator = rational
    return numerator / denominator if numerator > 0 and denominator > 0 else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
