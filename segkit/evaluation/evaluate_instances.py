"""Scores of segmented objects against reference objects: SEG, average precision, and the mask that they make up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.evaluation.average_precision import THRESHOLDS, Matches, match_objects
from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
from segkit.evaluation.chosen_slices import chosen_slices
from segkit.evaluation.panoptic_quality import PanopticCounts, count_panoptic
from segkit.evaluation.seg_score import reference_jaccards
from segkit.instances.label_overlaps import LabelOverlaps, count_overlaps
from segkit.instances.object_sizes import huge_object_warning
from segkit.volumes.checks import check_comparable
from segkit.volumes.instance_ids import ids_by_slice, unannotated
from segkit.volumes.volume import Volume

COUNT_TITLES = {"found": "predicted"}
"""What counts are called in tables, where it is not their name in files, which stays."""

_OF_THE_MASK = ("background_iou", "dice", "precision", "recall", "pixel_accuracy")


@dataclasses.dataclass(frozen=True)
class ScoredObjects:
    """A volume, or a slice of one, whose objects were scored.

    Attributes:
        z: The slice; ``None`` for objects of a whole volume.
        overlaps: What reference and predicted objects share.
        volume: Name of the volume.
    """

    z: int | None
    overlaps: LabelOverlaps
    volume: str = ""

    @property
    def jaccards(self) -> np.ndarray:
        """Jaccard index of every reference object, as ``reference_jaccards`` gives it."""
        return reference_jaccards(self.overlaps)

    def matches(self, threshold: float) -> Matches:
        """Return the objects matched at a threshold of IoU."""
        return match_objects(self.overlaps, threshold)


@dataclasses.dataclass(frozen=True)
class InstanceEvaluation:
    """Scores of the objects of one or several volumes.

    Attributes:
        parts: Volumes or slices whose objects were scored.
        slices: Index and voxels of each slice, objects against background.
        ignore_value: Value of the reference voxels that were left out; ``None`` where all were scored, or volumes
            differ.
    """

    parts: tuple[ScoredObjects, ...]
    slices: tuple[tuple[int, Confusion], ...]
    ignore_value: int | None = None

    def __add__(self, other: InstanceEvaluation) -> InstanceEvaluation:
        value = self.ignore_value if self.ignore_value == other.ignore_value else None
        return InstanceEvaluation(self.parts + other.parts, self.slices + other.slices, value)

    @property
    def seg(self) -> float | None:
        """SEG, the mean Jaccard index of all reference objects; ``None`` where there are none."""
        jaccards = np.concatenate([np.zeros(0), *(part.jaccards for part in self.parts)])
        return float(jaccards.mean()) if jaccards.size else None

    def average_precision(self, threshold: float) -> float | None:
        """Return the average precision at a threshold of IoU, over the objects of all parts alike."""
        return sum((part.matches(threshold) for part in self.parts), Matches()).average_precision

    def huge_object_warning(self) -> str | None:
        """Return a line about an object of the reference that is far larger than all others; ``None`` for none.

        For the evaluation of one volume; with an ignore value nothing is said.
        """
        if self.ignore_value is not None:
            return None
        sizes: dict[int, int] = {}
        for part in self.parts:
            counts = zip(part.overlaps.reference_ids.tolist(), part.overlaps.reference_voxels.tolist(), strict=True)
            for number, voxels in counts:
                sizes[number] = sizes.get(number, 0) + voxels
        scored = sum(sum(dataclasses.astuple(confusion)) for _, confusion in self.slices)
        return huge_object_warning(sizes, scored)

    def total(self) -> dict[str, Any]:
        """Return SEG, average precision, panoptic quality and its factors, scores of the mask, and counts, by name."""
        panoptic = sum((count_panoptic(part.overlaps) for part in self.parts), PanopticCounts())
        precisions = [self.average_precision(threshold) for threshold in THRESHOLDS]
        voxels = binary_scores(sum((confusion for _, confusion in self.slices), Confusion()))
        return {
            "seg": self.seg,
            "ap_50": precisions[0],
            "mean_ap": None if precisions[0] is None else float(np.mean(precisions)),
            "pq": panoptic.quality,
            "sq": panoptic.segmentation,
            "rq": panoptic.recognition,
            **voxels,
            "objects": sum(len(part.overlaps.reference_ids) for part in self.parts),
            "found": sum(len(part.overlaps.prediction_ids) for part in self.parts),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"total": {...}, "parts": [...], "slices": [...]}`` for ``json``; a part with its objects."""
        return {
            "total": self.total(),
            "parts": [
                {
                    "volume": part.volume,
                    "z": part.z,
                    "seg": float(part.jaccards.mean()) if part.jaccards.size else None,
                    "objects": dict(
                        zip(map(str, part.overlaps.reference_ids.tolist()), part.jaccards.tolist(), strict=True)
                    ),
                    "found": len(part.overlaps.prediction_ids),
                }
                for part in self.parts
            ],
            "slices": [
                {"z": z, **binary_scores(confusion), **dataclasses.asdict(confusion)} for z, confusion in self.slices
            ],
        }

    def to_table(self) -> str:
        """Return a plain-text table: one line per part, and the scores of all."""
        lines = [f"{'slice':<8}{'objects':>9}{'predicted':>11}{'matched':>9}{'SEG':>10}{'AP@0.5':>10}"]
        for part in self.parts:
            matches = part.matches(0.5)
            cells = (float(part.jaccards.mean()) if part.jaccards.size else None, matches.average_precision)
            shown = "".join(f"{'-' if cell is None else f'{cell:.4f}':>10}" for cell in cells)
            sizes = len(part.overlaps.reference_ids), len(part.overlaps.prediction_ids)
            counts = f"{sizes[0]:>9}{sizes[1]:>11}{matches.matched:>9}"
            lines.append(f"{'all' if part.z is None else part.z!s:<8}{counts}{shown}")
        for name, value in self.total().items():
            if name in _OF_THE_MASK:
                continue
            shown = "-" if value is None else str(value) if isinstance(value, int) else f"{value:.6f}"
            lines.append(f"{COUNT_TITLES.get(name, name):<16}{shown}")
        return "\n".join(lines)


def evaluate_instances(
    prediction: Volume,
    reference: Volume,
    *,
    slices: Sequence[int] | None = None,
    slice_wise: bool | None = None,
    ignore_value: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InstanceEvaluation:
    """Score objects with ids against reference objects.

    Reference voxels of the ignore value count neither as background nor as object: true and predicted ids are set to 0
    there before anything is scored, and the scores of the mask leave them out. So a predicted object that lies in
    unannotated voxels alone does not exist, and one that reaches into them is cut.

    Args:
        prediction: Ids, 0 is background.
        reference: Ids of the reference objects, same shape.
        slices: Indices of the slices to score; all by default.
        slice_wise: Score the cross-sections slice by slice, as the Cell Tracking Challenge does where
            single slices are annotated. By default objects are scored in 3-D where all slices are, and slice by slice
            where only some are.
        ignore_value: Value of unannotated reference voxels.
        progress: Called as ``progress(done, total)`` after each slice.

    Raises:
        InputError: If the shapes differ, a slice is outside of them or named twice, ids are negative or not whole
            numbers, or ``ignore_value`` is 0.
        ValueError: If ``slices`` are not indices.
    """
    check_comparable(prediction, reference)
    count = reference.shape[0]
    chosen = chosen_slices(slices, count)
    if slice_wise is None:
        slice_wise = len(chosen) < count
    known = {"ignore_value": ignore_value, "annotation": reference}
    pair = [ids_by_slice(volume, chosen, **known) for volume in (reference, prediction)]
    counted = []
    for done, z in enumerate(chosen, start=1):
        # Indexed by place among the chosen slices, as `pair` consists of these alone.
        true, found = (ids[done - 1] != 0 for ids in pair)
        kept = None
        if ignore_value is not None:
            kept = ~unannotated(reference, slice(z, z + 1), ignore_value=ignore_value)[0]
        counted.append((z, count_confusion(found, true, kept)))
        if progress:
            progress(done, len(chosen))
    if slice_wise:
        parts = [
            ScoredObjects(z, count_overlaps(*(ids[place] for ids in pair)), reference.name)
            for place, z in enumerate(chosen)
        ]
    else:
        parts = [ScoredObjects(None, count_overlaps(*pair), reference.name)]
    return InstanceEvaluation(tuple(parts), tuple(counted), ignore_value)
