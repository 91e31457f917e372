"""SEG and DET of a result in the Cell Tracking Challenge's folders."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.evaluation.detection_score import DetectionErrors, detection_errors
from segkit.evaluation.seg_score import parameter_efficiency, reference_jaccards
from segkit.instances.label_overlaps import LabelOverlaps, count_overlaps
from segkit.volumes.challenge import result_files, segmentation_files, tracking_files
from segkit.volumes.files import open_volume
from segkit.volumes.instance_ids import instance_ids


@dataclasses.dataclass(frozen=True)
class AnnotatedPart:
    """A frame, or a slice of one, whose cells are annotated.

    Attributes:
        frame: Number of the frame.
        z: The slice; ``None`` for the whole frame.
        ids: Ids of the reference cells.
        jaccards: Jaccard index of each, as ``reference_jaccards`` gives it.
    """

    frame: int
    z: int | None
    ids: np.ndarray
    jaccards: np.ndarray


@dataclasses.dataclass(frozen=True)
class ChallengeEvaluation:
    """Scores of a sequence.

    Attributes:
        parts: Every annotated part.
        detection: Errors of detection over all frames with markers; ``None`` where there are none.
        num_parameters: Parameters of the networks, where they are known.
    """

    parts: tuple[AnnotatedPart, ...]
    detection: DetectionErrors | None
    num_parameters: int | None = None

    @property
    def seg(self) -> float | None:
        """SEG, the mean Jaccard index of all reference cells; ``None`` where there are none."""
        jaccards = np.concatenate([part.jaccards for part in self.parts])
        return float(jaccards.mean()) if jaccards.size else None

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"SEG", "DET", "PESEG", "cells", "detection", "parts"}`` for ``json``."""
        seg, count = self.seg, self.num_parameters
        return {
            "SEG": seg,
            "DET": self.detection.det if self.detection else None,
            "PESEG": None if seg is None or count is None else parameter_efficiency(seg, count),
            "cells": sum(len(part.ids) for part in self.parts),
            "detection": dataclasses.asdict(self.detection) if self.detection else None,
            "parts": [
                {
                    "frame": part.frame,
                    "z": part.z,
                    "SEG": float(part.jaccards.mean()) if part.jaccards.size else None,
                    "cells": {
                        str(label): float(jaccard) for label, jaccard in zip(part.ids, part.jaccards, strict=True)
                    },
                }
                for part in self.parts
            ],
        }

    def to_table(self) -> str:
        """Return a plain-text table, one line per annotated part, and the scores of all."""
        lines = [f"{'frame':<8}{'slice':<8}{'cells':>8}{'SEG':>10}"]
        for part in self.parts:
            mean = f"{part.jaccards.mean():.4f}" if part.jaccards.size else "-"
            lines.append(f"{part.frame:<8}{'all' if part.z is None else part.z!s:<8}{len(part.ids):>8}{mean:>10}")
        values = self.to_dict()
        for name in ("SEG", "DET", "PESEG"):
            if values[name] is not None:
                lines.append(f"{name:<6}{values[name]:.6f}")
        return "\n".join(lines)


def evaluate_challenge(
    result: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    *,
    num_parameters: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ChallengeEvaluation:
    """Score a result as the challenge does.

    SEG is over the annotated frames and slices; other frames and slices are not used, and objects found in unannotated
    parts are not penalised. DET is over the frames with markers (``TRA``).

    Args:
        result: Folder such as ``01_RES``, with ``mask000.tif``, ...
        reference: Folder such as ``01_GT`` or ``01_ST``, with ``SEG`` and perhaps ``TRA``.
        num_parameters: Parameters of all networks that made the result, for PESEG.
        progress: Called as ``progress(done, total)`` after each file of the reference.

    Raises:
        InputError: If a folder or file is missing, a result has another shape than its reference, or ids are negative
            or not whole numbers.
    """
    results = result_files(result)
    annotations, markers = segmentation_files(reference), tracking_files(reference)
    total = len(annotations) + len(markers)
    parts = []
    for done, entry in enumerate(annotations, start=1):
        overlaps = _overlaps(entry.path, _result_of(results, entry.frame, result), entry.z)
        parts.append(AnnotatedPart(entry.frame, entry.z, overlaps.reference_ids, reference_jaccards(overlaps)))
        if progress:
            progress(done, total)
    detection = DetectionErrors() if markers else None
    for done, (frame, path) in enumerate(markers.items(), start=len(annotations) + 1):
        detection += detection_errors(_overlaps(path, _result_of(results, frame, result)))
        if progress:
            progress(done, total)
    return ChallengeEvaluation(tuple(parts), detection, num_parameters)


def _result_of(results: dict[int, pathlib.Path], frame: int, folder: str | os.PathLike[str]) -> pathlib.Path:
    if frame not in results:
        raise InputError(f"{folder}: no result for the annotated frame {frame}; segment it, an empty mask is enough")
    return results[frame]


def _overlaps(reference: pathlib.Path, result: pathlib.Path, z: int | None = None) -> LabelOverlaps:
    """Count the overlaps of an annotation with a frame's result, or with a slice of it."""
    true, found = open_volume(reference), open_volume(result)
    shape = found.shape if z is None else (1, *found.shape[1:])
    if z is not None and z >= found.shape[0]:
        raise InputError(f"{result}: {found.shape[0]} slices, but {reference.name} annotates slice {z}")
    if true.shape != shape:
        extents = [" x ".join(map(str, extent)) for extent in (shape, true.shape)]
        raise InputError(f"{result}: {extents[0]} voxels (z, y, x), its reference {reference} has {extents[1]}")
    # An annotated slice is a volume of one slice, and is compared with that slice of the result.
    chosen = slice(None) if z is None else slice(z, z + 1)
    return count_overlaps(instance_ids(true), instance_ids(found, chosen))
