"""A slice, its true classes and those of one or several predictions, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from segkit.report import colors
from segkit.report.overlay import SHOWN_PX, Overlay, Panel, as_rgb, detail_window, framed, shrunk, stretch_contrast

_FILL = 0.55


def label_overlay(
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    caption: str = "",
    ignore_value: int | None = None,
    voxel_size_nm: tuple[float, float, float] | None = None,
) -> Overlay:
    """Draw a slice, its true classes and predictions of them; of a large slice also a part with the rarest class.

    Args:
        image: Slice ``(y, x)``, any number type [grey value].
        truth: Classes ``(y, x)``; 0 is the first of ``class_names`` and shows the slice.
        predictions: Classes ``(y, x)`` by the heading they get. Of one prediction the errors are drawn too.
        class_names: Name of every class.
        caption: What is shown.
        ignore_value: Value of unannotated pixels of ``truth``: no class and no error is drawn there.
        voxel_size_nm: ``(z, y, x)``, for scale bars.

    Raises:
        ValueError: If the shapes differ or are not ``(y, x)``.
    """
    shapes = [array.shape for array in (image, truth, *predictions.values())]
    if image.ndim != 2 or len(set(shapes)) > 1:
        raise ValueError(f"`image`, `truth` and `predictions` must be (y, x) of one shape. Received: shapes {shapes}")
    known = np.ones(truth.shape, bool) if ignore_value is None else truth != ignore_value
    truth = np.where(known, truth, 0)
    layers = {"Truth": truth, **{title: np.where(known, labels, 0) for title, labels in predictions.items()}}
    pixel_nm = None if voxel_size_nm is None else voxel_size_nm[2]
    grey = stretch_contrast(image)
    rows = [_row(grey, layers, known, len(class_names), pixel_nm)]
    window = _telling_window(truth) if max(image.shape) > SHOWN_PX else None
    if window is not None:
        # The window is framed in the first panel and drawn larger in a second row.
        first = rows[0][0]
        rows[0] = (dataclasses.replace(first, image=framed(first.image, window, image.shape)), *rows[0][1:])
        parts = {title: labels[window] for title, labels in layers.items()}
        rows.append(_row(grey[window], parts, known[window], len(class_names), pixel_nm, ", detail"))
    legend = [(colors.class_color(label), class_names[label]) for label in range(1, len(class_names))]
    return Overlay(caption, tuple(rows), (*legend, *([(_WRONG, "errors")] if len(predictions) == 1 else [])))


_WRONG = "#ff00ff"


def _row(
    grey: np.ndarray,
    layers: Mapping[str, np.ndarray],
    known: np.ndarray,
    num_classes: int,
    pixel_nm: float | None,
    suffix: str = "",
) -> tuple[Panel, ...]:
    factor = max(1, SHOWN_PX // 2 // max(grey.shape))
    pictures = {"Slice": as_rgb(grey)}
    for title, labels in layers.items():
        pictures[title] = tinted(grey, labels, {label: colors.class_color(label) for label in range(1, num_classes)})
    if len(layers) == 2:
        truth, prediction = layers.values()
        pictures["Errors"] = tinted(grey, (truth != prediction) & known, {1: _WRONG})
    shown = {title: shrunk(picture.repeat(factor, 0).repeat(factor, 1)) for title, picture in pictures.items()}
    width = grey.shape[1]
    return tuple(
        Panel(title + suffix, picture, None if pixel_nm is None else pixel_nm * width / picture.shape[1])
        for title, picture in shown.items()
    )


def tinted(grey: np.ndarray, labels: np.ndarray, chosen: Mapping[int, str]) -> np.ndarray:
    """Colour the pixels of classes.

    Args:
        grey: Slice ``(y, x)``, uint8.
        labels: Classes ``(y, x)``.
        chosen: Colour ``#rrggbb`` of each class to be drawn.

    Returns:
        uint8 ``(y, x, 3)``.
    """
    drawn = as_rgb(grey).astype(np.float32)
    for label, color in chosen.items():
        where = labels == label
        drawn[where] = (1 - _FILL) * drawn[where] + _FILL * np.asarray(colors.rgb(color), np.float32)
    return np.rint(drawn).astype(np.uint8)


def _telling_window(truth: np.ndarray) -> tuple[slice, slice] | None:
    """Return the window that holds most of the rarest class that occurs; ``None`` where there is only class 0."""
    labels, counts = np.unique(truth[truth != 0], return_counts=True)
    return detail_window(truth == labels[counts.argmin()]) if labels.size else None
