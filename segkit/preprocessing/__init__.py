"""From stored voxels to what a network sees, written once for training, prediction and export."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "COLORINGS": "segkit.preprocessing.colorings",
    "ColorSlices": "segkit.preprocessing.color_slices",
    "GreyTriple": "segkit.preprocessing.colorings",
    "NeighbourStack": "segkit.preprocessing.colorings",
    "PREPROCESSINGS": "segkit.preprocessing.preprocessing",
    "Preprocessing": "segkit.preprocessing.preprocessing",
    "Pseudocoloring": "segkit.preprocessing.pseudocolor",
    "Standardize": "segkit.preprocessing.standardize",
    "StandardizeEach": "segkit.preprocessing.standardize_each",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
