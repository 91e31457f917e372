"""Volumes with their voxel size, and the files they live in: MRC, TIFF, HDF5 and folders of slices."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "BlockStore": "segkit.volumes.block_store",
    "LazyVolume": "segkit.volumes.lazy_volume",
    "Volume": "segkit.volumes.volume",
    "open_volume": "segkit.volumes.files",
    "save_volume": "segkit.volumes.files",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
