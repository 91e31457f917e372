"""Pictures of scored objects: slices, the best and the worst objects, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from segkit.report.instance_overlay import instance_overlay, object_overlay
from segkit.report.overlay import Overlay
from segkit.report.page import Section, inline_svg
from segkit.report.sections import overlays as overlay_section
from segkit.report.short_name import short_name
from segkit.report.size_histogram import size_histogram
from segkit.volumes.instance_ids import instance_ids
from segkit.volumes.volume import Volume

if TYPE_CHECKING:
    from segkit.data.sources import LabeledVolume
    from segkit.evaluation.evaluate_instances import InstanceEvaluation

    Scored = tuple[LabeledVolume, Volume, InstanceEvaluation]
    """A volume, what was predicted for it, and its scores."""

_SLICES_SHOWN, _OBJECTS_SHOWN = 4, 3


def slice_pictures(scored: Sequence[Scored]) -> list[Overlay]:
    """Draw slices from the best to the worst mask, over all volumes; no cell and no error where nothing is known."""
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
        volume = scored[number][0]
        true, found = _known_ids(scored[number], slice(z, z + 1))
        drawn.append(
            instance_overlay(
                np.asarray(volume.tomogram.array[z]),
                true[0],
                found[0],
                caption=f"{short_name(volume.tomogram)}, slice z = {z}: foreground IoU {score:.3f}, "
                f"{place + 1} of {len(entries)} from the best",
                voxel_size_nm=volume.tomogram.voxel_size_nm,
            )
        )
    return drawn


def _known_ids(scored: Scored, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the predicted ids of some slices as they were scored: 0 where voxels are unannotated."""
    volume, labels, evaluation = scored
    known = {"ignore_value": evaluation.ignore_value, "annotation": volume.mask}
    return instance_ids(volume.mask, part, **known), instance_ids(labels, part, **known)


def best_and_worst(scored: Sequence[Scored]) -> tuple[list[tuple[float, int, int | None, int]], ...]:
    """Return objects as ``(Jaccard index, volume, slice or None for 3-D, id)``, best first and worst last.

    An object that is scored in several slices is listed with its best score among the best, with its worst among the
    worst.
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
    # Later entries replace earlier ones: `places` is descending, so the last of an object is its lowest score.
    highest = {(number, chosen): (jaccard, number, z, chosen) for jaccard, number, z, chosen in reversed(places)}
    lowest = {(number, chosen): (jaccard, number, z, chosen) for jaccard, number, z, chosen in places}
    count = min(_OBJECTS_SHOWN, (len(highest) + 1) // 2)
    best = sorted(highest.values(), reverse=True)[:count]
    shown = {(number, chosen) for _, number, _, chosen in best}
    rest = [entry for entry in sorted(lowest.values(), reverse=True) if (entry[1], entry[3]) not in shown]
    return best, rest[-count:]


def object_section(scored: Sequence[Scored]) -> Section:
    """Show the best and the worst objects of all volumes."""
    drawn = []
    for word, entries in zip(("Best", "Worst"), best_and_worst(scored), strict=True):
        for jaccard, number, z, chosen in entries:
            volume = scored[number][0]
            part = slice(None) if z is None else slice(z, z + 1)
            place = f"{short_name(volume.mask)}{'' if z is None else f', slice {z}'}"
            drawn.append(
                object_overlay(
                    np.asarray(volume.tomogram.array[part]),
                    *_known_ids(scored[number], part),
                    chosen,
                    caption=f"{word}: object {chosen} of {place}, Jaccard index {jaccard:.3f}",
                    voxel_size_nm=volume.tomogram.voxel_size_nm,
                )
            )
    return overlay_section(drawn, "Best and worst objects")


def size_section(scored: Sequence[Scored]) -> Section:
    """Show how large objects are, in truth and prediction."""
    overlaps = [part.overlaps for _, _, evaluation in scored for part in evaluation.parts]
    voxel_nm = scored[0][0].tomogram.voxel_size_nm
    in_slices = any(part.z is not None for _, _, evaluation in scored for part in evaluation.parts)
    figure = size_histogram(
        {
            "truth": np.concatenate([found.reference_voxels for found in overlaps]),
            "prediction": np.concatenate([found.prediction_voxels for found in overlaps]),
        },
        # Cross-sections have areas, not volumes; 1 µm³ is 1e9 nm³.
        voxel_um3=None if voxel_nm is None or in_slices else float(np.prod(voxel_nm)) / 1e9,
    )
    body = "" if figure is None else f'<div class="curves"><div>{inline_svg(figure, "sizes of objects")}</div></div>'
    return Section("Sizes", body)
