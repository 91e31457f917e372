"""Whether a prediction and its reference lie or count the other way round, or the reference is annotated in part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from segkit.volumes.empty_slices import around, between, forgotten
from segkit.volumes.volume import Volume

_LEAST_IOU = 0.3  # of the flipped volumes, below which nothing fits
_SHOWN = 10  # slices that are named
_CLEARLY = 2.0  # times the IoU as they are

_TURNS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("rows (y) flipped: {flip_y}", lambda image: image[::-1]),
    ("columns (x) flipped: {write} with x reversed", lambda image: image[:, ::-1]),
    ("rows and columns flipped: {write} with y and x reversed", lambda image: image[::-1, ::-1]),
    ("x and y exchanged: {write} with its axes in the other order", lambda image: image.T),
)
_REVERSED = "slices (z) in reverse order: {write} with z reversed"
_WRITE = "write the one that is wrong again"
_INVERTED = "foreground and background exchanged: {write} with 0 outside the structure"


def misfit(
    prediction: Volume, reference: Volume, *, ignore_value: int | None = None, is_flipped: bool = False
) -> str | None:
    """Return how the reference fits its prediction clearly better than as it is; ``None`` where it does not.

    Programs disagree about which end of y is up, about the order of slices and axes, and about what is 0; a mask that
    went through two of them may be upside down or inverted. So the reference is compared as it is; with its rows, its
    columns, or both flipped; with x and y exchanged, where slices are square; with its slices in reverse order; and
    inverted. Other combinations are not tried. What is not 0 is compared, in all slices, by its IoU: the best one
    counts if it is 0.3 or more, and twice that of the reference as it is. An inverted reference has the smaller IoU of
    foreground and background: a prediction that is foreground everywhere fits nothing.

    Args:
        prediction: Mask, labels or ids.
        reference: The same of the annotation, of the same shape.
        ignore_value: Value of unannotated reference voxels; they do not count.
        is_flipped: The rows of the reference were reversed when it was opened, by ``--flip-y``.
    """
    depth, height, width = reference.shape
    fitting = _TURNS if height == width else _TURNS[:-1]  # the last one exchanges y and x
    names = ["", *(name for name, _ in fitting), _REVERSED, _INVERTED]
    counts = np.zeros((len(names), 2), np.int64)  # intersection and union of every orientation
    outside = np.zeros(2, np.int64)  # those of the inverted one's background
    for z in range(depth):
        found = np.asarray(prediction.array[z]) != 0
        truth, kept = _true(reference, z, ignore_value)
        candidates = [(truth, kept), *((turn(truth), turn(kept)) for _, turn in fitting)]
        candidates += [_true(reference, depth - 1 - z, ignore_value), (~truth & kept, kept)]
        for row, pair in zip(counts, candidates, strict=True):
            row += _overlap(found, *pair)
        outside += _overlap(~found, truth, kept)
    iou = counts[:, 0] / np.maximum(counts[:, 1], 1)
    iou[-1] = min(iou[-1], outside[0] / max(outside[1], 1))
    best = int(iou.argmax())
    if best == 0 or iou[best] < max(_LEAST_IOU, _CLEARLY * iou[0]):
        return None
    how = names[best].format(flip_y="leave out --flip-y" if is_flipped else "--flip-y", write=_WRITE)
    return (
        f"the prediction fits much better with the reference's {how} (IoU of all that is not 0: "
        f"{iou[best]:.2f} against {iou[0]:.2f}); is one of the two the wrong way round?"
    )


def _overlap(found: np.ndarray, truth: np.ndarray, kept: np.ndarray) -> tuple[int, int]:
    return np.count_nonzero(found & truth & kept), np.count_nonzero((found | truth) & kept)


def unpainted(
    prediction: Volume, reference: Volume, *, slices: Sequence[int] | None = None, ignore_value: int | None = None
) -> str | None:
    """Return a line where slices of a reference look as if nobody had painted them; else ``None``.

    Slices without an annotated voxel are left out; where that leaves none, or no foreground in the reference but some
    in the prediction, this is said. Otherwise an empty slice counts where the prediction has foreground, all of which
    would be wrong. The first of these is said: at least as many such slices between painted ones as there are painted
    ones; at least as many before and after a block of painted slices that breaks off; and single ones before and after
    which the same structure is painted (see ``segkit.volumes.empty_slices``).

    Args:
        prediction: Mask, labels or ids.
        reference: The same of the annotation, of the same shape.
        slices: The slices that are scored; all by default.
        ignore_value: Value of unannotated reference voxels; they do not count.
    """
    counts, found = {}, set()
    for z in range(reference.shape[0]) if slices is None else sorted(slices):
        truth, kept = _true(reference, z, ignore_value)
        if not kept.any():
            continue
        counts[z] = int(np.count_nonzero(truth))
        if not counts[z] and (np.asarray(prediction.array[z])[kept] != 0).any():
            found.add(z)
    if not counts:
        return f"every voxel that is scored has the ignore value {ignore_value}: there is nothing to compare with"
    painted = [z for z, count in counts.items() if count]
    if not painted:
        wrongly = "empty on all slices that are scored: only what is found wrongly can be counted"
        return wrongly if found else None
    size = math.prod(reference.shape[1:])
    gaps, outside = ([z for z in empty if z in found] for empty in (between(counts), around(counts, size)))
    wrong = "where the prediction has foreground, which is counted as wrong; if"
    remedy = f"score the others with --slices {_listed(painted)}"
    # Fewer gaps than painted slices: a structure with a hole in it.
    if len(gaps) >= len(painted):
        return f"empty on {len(gaps)} slices between others that are not, {wrong} they were not annotated, {remedy}"
    if len(outside) >= len(painted):
        return (
            f"foreground on the slices {_listed(painted)}, where it breaks off, and empty on {len(outside)} before or "
            f"after, {wrong} they were not annotated, {remedy}"
        )
    # The other gaps are right: nothing was found there.
    holes = [z for z in forgotten(counts, lambda z: _true(reference, z, ignore_value)[0]) if z in found]
    if holes:
        where = f"slice {holes[0]}" if len(holes) == 1 else f"slices {_listed(holes)}"
        return (
            f"empty on {where}, but with the same structure before and after, {wrong} forgotten, paint it there, or "
            f"{remedy}"
        )
    return None


def holds(reference: Volume, value: int) -> bool:
    """Return whether a voxel of a reference has a value, such as that of unannotated voxels.

    Args:
        reference: The annotation.
        value: The value.
    """
    return any((np.asarray(reference.array[z]) == value).any() for z in range(reference.shape[0]))


def _listed(slices: Sequence[int]) -> str:
    return f"{','.join(map(str, slices[:_SHOWN]))}{',...' if len(slices) > _SHOWN else ''}"


def _true(reference: Volume, z: int, ignore_value: int | None) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(reference.array[z])
    kept = np.ones(values.shape, bool) if ignore_value is None else values != ignore_value
    return (values != 0) & kept, kept
