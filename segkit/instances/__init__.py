"""Objects with ids of their own, from probabilities and masks.

A function that has the name of its module is imported from there:
``from segkit.instances.segment_instances import segment_instances``.
"""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "CellCenters": "segkit.instances.cell_centers",
    "InstanceSettings": "segkit.instances.instance_settings",
    "LabelOverlaps": "segkit.instances.label_overlaps",
    "ObjectSizes": "segkit.instances.object_sizes",
    "connected_ids": "segkit.instances.reconcile",
    "count_overlaps": "segkit.instances.label_overlaps",
    "find_centers": "segkit.instances.cell_centers",
    "otsu_instances": "segkit.instances.otsu",
    "peak_seeds": "segkit.instances.seeds",
    "render_heatmap": "segkit.instances.cell_centers",
    "renumbered": "segkit.instances.renumber",
    "segment_blockwise": "segkit.instances.blockwise",
    "split_seeds": "segkit.instances.seeds",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
