"""Boxes, block grids, tilings and sliding windows of any number of axes."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "BlockGrid": "segkit.geometry.block_grid",
    "Region": "segkit.geometry.region",
    "TilePlan": "segkit.geometry.tiles",
    "Window": "segkit.geometry.tiles",
    "along_axes": "segkit.geometry.per_axis",
    "plan_tiles": "segkit.geometry.tiles",
    "plan_windows": "segkit.geometry.tiles",
    "smallest_tile_px": "segkit.geometry.tiles",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
