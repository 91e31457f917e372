"""Objects of a slice in distinct colours, and close-ups of single objects."""

from __future__ import annotations

import colorsys

import numpy as np
from skimage.segmentation import find_boundaries

from segkit.instances.join_slices import best_partners
from segkit.instances.label_overlaps import count_overlaps
from segkit.report.overlay import SHOWN_PX, Overlay, Panel, as_rgb, error_map, shrunk, stretch_contrast

_FILL = 0.4
_GOLDEN = 0.618034  # turns of the colour circle from an id to the next: neighbours in number never look alike
_MARGIN = 0.6  # what is shown around an object, in its own sizes
_LEAST_PX = 32
_CLOSE_PX = 160


def instance_overlay(
    image: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    caption: str = "",
    voxel_size_nm: tuple[float, float, float] | None = None,
) -> Overlay:
    """Draw a slice, its true and predicted objects, and the errors of the mask they make up.

    Args:
        image: Slice ``(y, x)``, any number type [grey value].
        truth: Ids ``(y, x)``, 0 is background.
        prediction: Ids ``(y, x)``; an object has the colour of the true one that it fits best.
        caption: What is shown.
        voxel_size_nm: ``(z, y, x)``, for scale bars.

    Raises:
        ValueError: If the shapes differ or are not ``(y, x)``.
    """
    if image.ndim != 2 or not image.shape == truth.shape == prediction.shape:
        raise ValueError(
            "`image`, `truth` and `prediction` must be (y, x) of one shape. "
            f"Received: shapes {image.shape}, {truth.shape}, {prediction.shape}"
        )
    factor = max(1, SHOWN_PX // 2 // max(image.shape))
    grey, true, found = (a.repeat(factor, 0).repeat(factor, 1) for a in (stretch_contrast(image), truth, prediction))
    pictures = {
        "Slice": shrunk(as_rgb(grey)),
        "Truth": shrunk(colored_objects(grey, true)),
        "Prediction": shrunk(colored_objects(grey, _as_in_truth(true, found))),
        "Errors": error_map(grey, true != 0, found != 0),
    }
    return Overlay(caption, (_panels(pictures, image.shape[1], voxel_size_nm),))


def object_overlay(
    image: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    chosen: int,
    *,
    caption: str = "",
    voxel_size_nm: tuple[float, float, float] | None = None,
) -> Overlay:
    """Draw one object and its surroundings in a square, in the slice that shows most of it.

    Args:
        image: Grey values, ``(z, y, x)``.
        truth: Ids, same shape.
        prediction: Ids, same shape.
        chosen: Id of the object in the truth.
        caption: What is shown.
        voxel_size_nm: ``(z, y, x)``, for scale bars.

    Raises:
        ValueError: If the truth has no such object.
    """
    where = np.asarray(truth) == chosen
    if not where.any():
        raise ValueError(f"`truth` must hold the object `chosen`. Received: chosen={chosen!r}")
    # The slice with the largest cross-section, and a square window around it.
    z = int(where.sum(axis=(1, 2)).argmax())
    extents = [np.flatnonzero(where[z].any(axis=axis))[[0, -1]] for axis in (1, 0)]
    side = max(_LEAST_PX, *(int((1 + 2 * _MARGIN) * (last - first + 1)) for first, last in extents))
    window = []
    for (first, last), size in zip(extents, where.shape[1:], strict=True):
        # Centred on the object, moved inwards at the border of the slice.
        start = max(0, min((first + last + 1 - side) // 2, size - side))
        window.append(slice(start, min(size, start + side)))
    part = (z, *window)
    grey, true = stretch_contrast(np.asarray(image[z]))[tuple(window)], truth[part]
    # Matched on the whole slice, as the window may cut objects.
    found = _as_in_truth(truth[z], prediction[z])[tuple(window)]
    factor = max(1, _CLOSE_PX // max(grey.shape))
    grey, true, found = (np.asarray(a).repeat(factor, 0).repeat(factor, 1) for a in (grey, true, found))
    pictures = {
        "Image": shrunk(as_rgb(grey)),
        "Truth": shrunk(colored_objects(grey, true)),
        "Prediction": shrunk(colored_objects(grey, found)),
    }
    return Overlay(caption, (_panels(pictures, window[1].stop - window[1].start, voxel_size_nm),), legend=())


def colored_objects(grey: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tint every object of a slice in a colour of its own and draw its outline.

    Args:
        grey: Slice ``(y, x)``, uint8.
        labels: Ids ``(y, x)``, 0 is background; an id has the same colour on every picture.

    Returns:
        uint8 ``(y, x, 3)``.
    """
    drawn = as_rgb(grey).astype(np.float32)
    ids, place = np.unique(labels, return_inverse=True)
    # (y, x, 3): the colour of each pixel's id.
    tints = np.array([object_color(int(number)) for number in ids], np.float32)[place.reshape(labels.shape)]
    inside, outline = labels != 0, find_boundaries(labels, mode="inner")
    drawn[inside] = (1 - _FILL) * drawn[inside] + _FILL * tints[inside]
    drawn[outline] = tints[outline]
    return np.rint(drawn).astype(np.uint8)


def object_color(number: int) -> tuple[float, float, float]:
    """Return the colour of an object, red, green and blue from 0 to 255."""
    hue = (number * _GOLDEN) % 1.0
    return tuple(255 * part for part in colorsys.hsv_to_rgb(hue, 0.65 + 0.35 * (number // 5 % 2), 1.0))


def _as_in_truth(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Number predicted objects as the true ones that they fit best; others get numbers that the truth does not have."""
    overlaps = count_overlaps(truth, prediction)
    # First numbers beyond those of the truth for all, then the partners' for those that have one.
    numbers = int(truth.max(initial=0)) + 1 + np.arange(len(overlaps.prediction_ids))
    true, found = best_partners(overlaps, np.finfo(float).tiny)
    numbers[found] = overlaps.reference_ids[true]
    renamed = np.zeros(prediction.shape, np.int64)
    inside = prediction != 0
    renamed[inside] = numbers[np.searchsorted(overlaps.prediction_ids, prediction[inside])]
    return renamed


def _panels(
    pictures: dict[str, np.ndarray], width: int, voxel_size_nm: tuple[float, float, float] | None
) -> tuple[Panel, ...]:
    return tuple(
        Panel(title, picture, None if voxel_size_nm is None else voxel_size_nm[2] * width / picture.shape[1])
        for title, picture in pictures.items()
    )
