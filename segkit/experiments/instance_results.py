"""What a run that tells objects apart shows: scores beside Otsu's, headline, pictures."""

from __future__ import annotations

import functools
import operator
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from segkit.data.colorings import coloring_from_dict
from segkit.data.pseudocolor import Pseudocoloring
from segkit.data.sources import LabeledVolume
from segkit.evaluation.evaluate_instances import InstanceEvaluation, evaluate_instances
from segkit.evaluation.seg_score import parameter_efficiency
from segkit.experiments.percent import percent
from segkit.experiments.plan import RunPlan
from segkit.instances.otsu import otsu_instances
from segkit.instances.segment_instances import InstanceSettings
from segkit.models.files import load_model
from segkit.report.coloring_steps import coloring_steps
from segkit.report.instance_overlay import instance_overlay, object_overlay
from segkit.report.overlay import Overlay
from segkit.report.page import Section, inline_svg
from segkit.report.sections import overlays as overlay_section
from segkit.report.sections import score_rows
from segkit.report.size_histogram import size_histogram
from segkit.training.preparation import Prepared
from segkit.training.resumable import Resumable
from segkit.volumes.instance_ids import instance_ids
from segkit.volumes.volume import Volume

_COMPARED = ("seg", "ap_50", "mean_ap", "mean_iou", "foreground_iou", "objects", "found")
_SLICES_SHOWN, _OBJECTS_SHOWN = 4, 3

Scored = tuple[LabeledVolume, Volume, InstanceEvaluation]
"""A volume, what was predicted for it, and its scores."""


def evaluate(plan: RunPlan, labels: Volume, volume: LabeledVolume, slices: Sequence[int]) -> InstanceEvaluation:
    """Score the slices of a volume, in 3-D where all of them are scored."""
    return evaluate_instances(labels, volume.mask, slices=slices)


def merged(plan: RunPlan, evaluations: Sequence[InstanceEvaluation]) -> InstanceEvaluation:
    """Return the objects of several volumes as one evaluation."""
    return functools.reduce(operator.add, evaluations)


def extra_scores(
    plan: RunPlan, record: Resumable, prepared: Prepared, held_out: Sequence[tuple[LabeledVolume, Sequence[int]]]
) -> dict[str, Any]:
    """Count the parameters, and score what Otsu's threshold makes of the same slices.

    Returns:
        ``{"num_parameters": n, "otsu": scores, "slice_by_slice": whether objects are cross-sections}``.
    """
    settings = InstanceSettings.from_dict(plan.instances)
    found = []
    for volume, slices in held_out:
        stack = np.stack([np.asarray(volume.tomogram.array[z]) for z in range(volume.tomogram.shape[0])])
        labels = otsu_instances(stack, settings, voxel_size=pixel_units(volume.tomogram))
        found.append(evaluate_instances(Volume(array=labels), volume.mask, slices=slices))
    otsu = merged(plan, found)
    return {
        "num_parameters": load_model(record.folder).count_params(),
        "otsu": otsu.total(),
        "slice_by_slice": any(part.z is not None for part in otsu.parts),
    }


def pixel_units(volume: Volume) -> list[float]:
    """Return the extent of a voxel along ``(z, y, x)`` in pixels along x; ones where the voxel size is unknown."""
    sizes = volume.voxel_size_nm or (1.0, 1.0, 1.0)
    return [size / sizes[2] for size in sizes]


def headline(scores: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers that matter."""
    seg, otsu = scores["total"]["seg"], scores["otsu"]["seg"]
    return [
        (f"SEG, {'slice by slice' if scores['slice_by_slice'] else 'whole cells'}", _short(seg)),
        ("SEG of Otsu's threshold", _short(otsu)),
        ("Average precision at IoU 0.5", _short(scores["total"]["ap_50"])),
        ("Mean IoU", percent(scores["total"]["mean_iou"])),
        ("PESEG", "undefined" if seg is None else f"{parameter_efficiency(seg, scores['num_parameters']):.3f}"),
    ]


def _short(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def sections(plan: RunPlan, scores: dict[str, Any], scored: Sequence[Scored]) -> list[Section]:
    """Show Otsu beside the network, the best and the worst objects, the sizes, and how slices get their colours."""
    rows = [
        (name, {score: entry[score] for score in _COMPARED})
        for name, entry in (("Network", scores["total"]), ("Otsu's threshold, told apart alike", scores["otsu"]))
    ]
    volume = scored[0][0].tomogram
    coloring = coloring_from_dict(plan.coloring)
    steps = (
        [coloring_steps(volume.array, volume.shape[0] // 2, coloring)] if isinstance(coloring, Pseudocoloring) else []
    )
    return [
        Section("Beside a threshold", score_rows(rows)),
        overlay_section(_objects(scored), "Best and worst objects"),
        _sizes(scored),
        overlay_section(steps, "How a slice gets its colours"),
    ]


def overlays(plan: RunPlan, scored: Sequence[Scored]) -> list[Overlay]:
    """Draw slices from the best to the worst mask, over all volumes."""
    entries = sorted(
        (
            (entry["foreground_iou"], number, entry["z"])
            for number, (_, _, evaluation) in enumerate(scored)
            for entry in evaluation.to_dict()["slices"]
            if entry["true_positives"] + entry["false_negatives"]
        ),
        reverse=True,
    )
    places = np.unique(np.linspace(0, len(entries) - 1, _SLICES_SHOWN).round().astype(int)) if entries else []
    drawn = []
    for place in places:
        score, number, z = entries[place]
        volume, labels, _ = scored[number]
        drawn.append(
            instance_overlay(
                np.asarray(volume.tomogram.array[z]),
                instance_ids(volume.mask, slice(z, z + 1))[0],
                instance_ids(labels, slice(z, z + 1))[0],
                caption=f"{_short_name(volume.tomogram)}, slice z = {z}: foreground IoU {score:.3f}, "
                f"{place + 1} of {len(entries)} from the best",
                voxel_size_nm=volume.tomogram.voxel_size_nm,
            )
        )
    return drawn


def _short_name(volume: Volume) -> str:
    """Return the name of a file with its folder's: sequences hold files of the same names."""
    return "/".join(pathlib.Path(volume.name).parts[-2:])


def best_and_worst(scored: Sequence[Scored]) -> tuple[list[tuple[float, int, int | None, int]], ...]:
    """Return objects as ``(Jaccard index, volume, slice or None for 3-D, id)``, best first and worst last.

    Of an object that is scored in several slices the best place stands among the best, the worst among the worst.
    """
    places = sorted(
        (
            (float(jaccard), number, part.z, int(chosen))
            for number, (_, _, evaluation) in enumerate(scored)
            for part in evaluation.parts
            for chosen, jaccard in zip(part.overlaps.reference_ids, part.jaccards, strict=True)
        ),
        reverse=True,
    )
    highest = {(number, chosen): (jaccard, number, z, chosen) for jaccard, number, z, chosen in reversed(places)}
    lowest = {(number, chosen): (jaccard, number, z, chosen) for jaccard, number, z, chosen in places}
    count = min(_OBJECTS_SHOWN, (len(highest) + 1) // 2)
    best = sorted(highest.values(), reverse=True)[:count]
    shown = {(number, chosen) for _, number, _, chosen in best}
    rest = [entry for entry in sorted(lowest.values(), reverse=True) if (entry[1], entry[3]) not in shown]
    return best, rest[-count:]


def _objects(scored: Sequence[Scored]) -> list[Overlay]:
    drawn = []
    for word, entries in zip(("Best", "Worst"), best_and_worst(scored), strict=True):
        for jaccard, number, z, chosen in entries:
            volume, labels, _ = scored[number]
            part = slice(None) if z is None else slice(z, z + 1)
            place = f"{_short_name(volume.mask)}{'' if z is None else f', slice {z}'}"
            drawn.append(
                object_overlay(
                    np.asarray(volume.tomogram.array[part]),
                    instance_ids(volume.mask, part),
                    instance_ids(labels, part),
                    chosen,
                    caption=f"{word}: object {chosen} of {place}, Jaccard index {jaccard:.3f}",
                    voxel_size_nm=volume.tomogram.voxel_size_nm,
                )
            )
    return drawn


def _sizes(scored: Sequence[Scored]) -> Section:
    overlaps = [part.overlaps for _, _, evaluation in scored for part in evaluation.parts]
    voxel_nm = scored[0][0].tomogram.voxel_size_nm
    in_slices = any(part.z is not None for _, _, evaluation in scored for part in evaluation.parts)
    figure = size_histogram(
        {
            "truth": np.concatenate([found.reference_voxels for found in overlaps]),
            "prediction": np.concatenate([found.prediction_voxels for found in overlaps]),
        },
        voxel_um3=None if voxel_nm is None or in_slices else float(np.prod(voxel_nm)) / 1e9,
    )
    body = "" if figure is None else f'<div class="curves"><div>{inline_svg(figure, "sizes of objects")}</div></div>'
    return Section("Sizes", body)
