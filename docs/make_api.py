"""Write ``api.md`` from the docstrings: ``python docs/make_api.py``."""

from __future__ import annotations

import importlib
import inspect
import pathlib

PAGE = pathlib.Path(__file__).with_name("api.md")

# Module, and its public names where they are not all that it defines.
MODULES = (
    "segkit.volumes.volume",
    "segkit.volumes.files",
    "segkit.volumes.checks",
    "segkit.volumes.label_checks",
    "segkit.volumes.orientation",
    "segkit.volumes.description",
    "segkit.volumes.challenge",
    "segkit.volumes.instance_ids",
    "segkit.data.splits",
    "segkit.data.sources",
    "segkit.data.patches",
    "segkit.targets.foreground",
    "segkit.data.augmentation",
    "segkit.data.sampler",
    "segkit.data.pipeline",
    "segkit.data.py_pipeline",
    "segkit.preprocessing.colorings",
    "segkit.preprocessing.pseudocolor",
    "segkit.geometry.square_windows",
    "segkit.data.cell_simulation",
    "segkit.data.simulated_cells",
    "segkit.data.phantom.generate",
    "segkit.data.phantom.write",
    "segkit.layers.conv_bn_relu",
    "segkit.layers.encoder_block",
    "segkit.layers.fused_batch_norm",
    "segkit.layers.multi_scale_center",
    "segkit.layers.fusion_block",
    "segkit.layers.bilinear_up_2d",
    "segkit.layers.conv_pair_se",
    "segkit.layers.fr_enhance",
    "segkit.layers.match_statistics",
    "segkit.layers.squeeze_excite",
    "segkit.losses.bce_jaccard",
    "segkit.losses.dice",
    "segkit.losses.heatmap_focal",
    "segkit.losses.softmax_cross_entropy",
    "segkit.metrics.binary_mean_iou",
    "segkit.metrics.mean_iou",
    "segkit.metrics.predicted_foreground",
    "segkit.models.seget",
    "segkit.models.unet_se",
    "segkit.models.efficient_cell_seg",
    "segkit.models.encoders",
    "segkit.models.card",
    "segkit.models.files",
    "segkit.models.precision",
    "segkit.training.plan",
    "segkit.training.preparation",
    "segkit.training.fit",
    "segkit.training.task",
    "segkit.training.decay_on_plateau",
    "segkit.tasks.collapse_alarm",
    "segkit.tasks.missed_class_alarm",
    "segkit.training.count_patches",
    "segkit.training.record_magnitudes",
    "segkit.training.redraw_enhanced",
    "segkit.training.reestimate_statistics",
    "segkit.training.resumable",
    "segkit.training.snapshots",
    "segkit.instances.segment_instances",
    "segkit.instances.blockwise",
    "segkit.instances.cell_centers",
    "segkit.instances.join_slices",
    "segkit.instances.label_overlaps",
    "segkit.instances.otsu",
    "segkit.inference.predict_options",
    "segkit.inference.region",
    "segkit.inference.loaded_model",
    "segkit.inference.predict_volume",
    "segkit.evaluation.binary_scores",
    "segkit.evaluation.class_scores",
    "segkit.evaluation.evaluate_classes",
    "segkit.evaluation.evaluate_volumes",
    "segkit.evaluation.seg_score",
    "segkit.evaluation.detection_score",
    "segkit.evaluation.average_precision",
    "segkit.evaluation.evaluate_instances",
    "segkit.evaluation.evaluate_challenge",
    "segkit.export.saved_model",
    "segkit.export.from_file",
    "segkit.search.oracles",
    "segkit.search.tuner",
    "segkit.report.overlay",
    "segkit.report.label_overlay",
    "segkit.report.instance_overlay",
    "segkit.report.search_figures",
    "segkit.report.choose_slices",
    "segkit.report.write_report",
    "segkit.errors",
    "segkit.progress",
)


def page() -> str:
    """Return the whole page."""
    parts = ["# API\n\nMade from the docstrings by `python docs/make_api.py`; arrays are `(z, y, x)`, channels last.\n"]
    for name in MODULES:
        module = importlib.import_module(name)
        parts.append(f"## `{name}`\n\n{inspect.getdoc(module)}\n")
        for public, value in vars(module).items():
            is_own = getattr(value, "__module__", None) == name
            if is_own and (inspect.isclass(value) or inspect.isfunction(value)) and not public.startswith("_"):
                parts.append(entry(public, value))
    return "\n".join(parts)


def entry(name: str, value: object) -> str:
    """Return the section of one class or function."""
    kind = "class" if inspect.isclass(value) else "def"
    text = inspect.getdoc(value) or ""
    return f"### `{kind} {name}`\n\n```text\n{name}{signature(value)}\n\n{text}\n```\n"


def signature(value: object) -> str:
    """Return the signature as Python shows it; empty where there is none."""
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""


if __name__ == "__main__":
    PAGE.write_text(page())
