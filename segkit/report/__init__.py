"""Figures and the report page.

A function that has the name of its module is imported from there:
``from segkit.report.write_report import write_report``.
"""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "Curve": "segkit.report.curves",
    "Overlay": "segkit.report.overlay",
    "Panel": "segkit.report.overlay",
    "Provenance": "segkit.report.sections",
    "Section": "segkit.report.page",
    "class_color": "segkit.report.colors",
    "error_map": "segkit.report.overlay",
    "object_overlay": "segkit.report.instance_overlay",
    "object_section": "segkit.report.object_pictures",
    "outlined": "segkit.report.overlay",
    "render_page": "segkit.report.page",
    "search_section": "segkit.report.search_figures",
    "size_section": "segkit.report.object_pictures",
    "slice_pictures": "segkit.report.object_pictures",
    "stretch_contrast": "segkit.report.overlay",
    "training_figures": "segkit.report.curves",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
