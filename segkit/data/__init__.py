"""Patches, splits, augmentation, phantoms and the input pipelines."""

from __future__ import annotations

from segkit.lazy_face import lazy_face

_HOMES = {
    "Augmentation": "segkit.data.augmentation",
    "LabeledVolume": "segkit.data.sources",
    "PatchPyDataset": "segkit.data.py_pipeline",
    "PatchSampler": "segkit.data.sampler",
    "PatchTable": "segkit.data.patches",
    "Source": "segkit.data.sources",
    "Split": "segkit.data.splits",
    "hold_out_every": "segkit.data.splits",
    "open_source": "segkit.data.sources",
    "parse_slices": "segkit.data.splits",
    "patch_dataset": "segkit.data.pipeline",
    "sample_path": "segkit.data.sample",
    "tabulate_patches": "segkit.data.patches",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_face(__name__, _HOMES)
