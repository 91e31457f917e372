"""Masks that were given with the wrong tomograms."""

from __future__ import annotations

from collections.abc import Sequence

from segkit.data.sources import LabeledVolume
from segkit.volumes.orientation import mask_orientation

_MOST = 5  # volumes of one shape: every mask is laid on every tomogram


def exchanged_masks(volumes: Sequence[LabeledVolume]) -> dict[int, str]:
    """Return a line for each volume whose mask fits another tomogram clearly better; by its place among the volumes.

    Masks and tomograms are compared that do not fit each other as they are given, in two to five volumes of the same
    shape, by the score and the limits of ``segkit.volumes.orientation``. Where a mask fits its own tomogram, nothing is
    computed.

    Args:
        volumes: Opened volumes, with their ``orientation``.
    """
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, volume in enumerate(volumes):
        score = volume.orientation
        # No slices: too small to decide, or nothing is painted.
        if score is not None and score.slices and not score.fits and score.warning is None:
            by_shape.setdefault(volume.mask.shape, []).append(number)
    lines = {}
    for numbers in by_shape.values():
        for number in numbers if 2 <= len(numbers) <= _MOST else ():
            mask, own = volumes[number].mask, volumes[number].orientation
            others = [other for other in numbers if other != number]
            scores = {n: mask_orientation(volumes[n].tomogram, mask, others=False).as_is for n in others}
            best = max(scores, key=scores.__getitem__)
            if own is not None and own.fits_better(scores[best]):
                lines[number] = (
                    f"the mask fits another tomogram clearly better, {volumes[best].tomogram.name}: {scores[best]:.1f} "
                    f"against {own.as_is:.1f} standard deviations; give masks in the order of their tomograms"
                )
    return lines
