"""SavedModels for serving."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "export_from_file": "segkit.export.from_file",
    "export_saved_model": "segkit.export.saved_model",
    "read_exported_card": "segkit.export.saved_model",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
