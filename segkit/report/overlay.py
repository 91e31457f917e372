"""A slice, its truth, its prediction and the errors, side by side."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from segkit.report import colors

SHOWN_PX = 560
"""Longest side of a panel's image [px]."""

_FILL = 0.3
_AGREEMENT_FILL = 0.5
_ERROR_FILL = 0.85
_DETAIL_PART = 3  # a detail shows a square of a third of the slice's longer side


@dataclasses.dataclass(frozen=True)
class Panel:
    """One image under a heading.

    Attributes:
        title: Heading.
        image: uint8 ``(y, x, 3)``.
        pixel_nm: Size of a pixel of ``image`` along x [nm], for a scale bar; ``None`` where unknown.
    """

    title: str
    image: np.ndarray
    pixel_nm: float | None = None


@dataclasses.dataclass(frozen=True)
class Overlay:
    """Rows of panels with a caption.

    Attributes:
        caption: What is shown, such as ``"Median slice: z = 12, foreground IoU 0.81"``.
        rows: Panels of each row, of one size.
        legend: Colours (``#rrggbb``) and what they mean.
    """

    caption: str
    rows: tuple[tuple[Panel, ...], ...]
    legend: tuple[tuple[str, str], ...] = (
        (colors.AGREEMENT, "agreement (true positive)"),
        (colors.PREDICTION, "only in the prediction (false positive)"),
        (colors.TRUTH, "only in the truth (false negative)"),
    )


def overlay(
    image: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    caption: str = "",
    ignored: np.ndarray | None = None,
    voxel_size_nm: tuple[float, float, float] | None = None,
) -> Overlay:
    """Draw slice, truth, prediction and errors; of a large slice also the part that holds most foreground.

    Args:
        image: Slice ``(y, x)``, any number type [grey value].
        truth: Mask ``(y, x)``; foreground where not 0.
        prediction: Mask ``(y, x)``; foreground where not 0.
        caption: What is shown.
        ignored: Nonzero where unannotated: neither truth nor errors are drawn there.
        voxel_size_nm: ``(z, y, x)``, for scale bars.

    Returns:
        One row of four panels, or two.

    Raises:
        ValueError: If the shapes differ or are not ``(y, x)``.
    """
    if image.ndim != 2 or not image.shape == truth.shape == prediction.shape:
        raise ValueError(
            "`image`, `truth` and `prediction` must be (y, x) of one shape. "
            f"Received: shapes {image.shape}, {truth.shape}, {prediction.shape}"
        )
    pixel_nm = None if voxel_size_nm is None else voxel_size_nm[2]
    known = np.ones(truth.shape, bool) if ignored is None else ignored == 0
    layers = stretch_contrast(image), (truth != 0) & known, (prediction != 0) & known
    rows = [_row(*layers, pixel_nm)]
    window = detail_window(layers[1] | layers[2]) if max(image.shape) > SHOWN_PX else None
    if window is not None:
        first = rows[0][0]
        rows[0] = (dataclasses.replace(first, image=framed(first.image, window, image.shape)), *rows[0][1:])
        rows.append(_row(*(layer[window] for layer in layers), pixel_nm, suffix=", detail"))
    return Overlay(caption, tuple(rows))


def stretch_contrast(image: np.ndarray, percentiles: tuple[float, float] = (0.5, 99.5)) -> np.ndarray:
    """Return a slice as grey levels, its darkest and brightest few voxels cut off.

    Args:
        image: Slice ``(y, x)``; voxels that are not finite become black.
        percentiles: What becomes black and white [%].

    Returns:
        uint8 ``(y, x)``; 128 everywhere if the slice has one value.
    """
    values = np.nan_to_num(image.astype(np.float32), nan=-np.inf, posinf=-np.inf)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, percentiles) if finite.size else (0.0, 0.0)
    # Both percentiles alike, as in a nearly even slice: take the extremes.
    if not high > low:
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if not high > low:
        return np.full(image.shape, 128, np.uint8)
    return np.rint((np.clip(values, low, high) - low) * (255.0 / (high - low))).astype(np.uint8)


def error_map(grey: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Colour where truth and prediction agree on foreground, and where only one of them has it.

    Args:
        grey: Slice ``(y, x)``, uint8.
        truth: Mask ``(y, x)``, bool.
        prediction: Mask ``(y, x)``, bool.

    Returns:
        uint8 ``(y, x, 3)``, averaged down to ``SHOWN_PX``; grey where both say background.
    """
    drawn = as_rgb(shrunk(grey))
    _tint(drawn, _coverage(truth & prediction), colors.AGREEMENT, _AGREEMENT_FILL)
    _tint(drawn, _coverage(prediction & ~truth), colors.PREDICTION, _ERROR_FILL)
    _tint(drawn, _coverage(truth & ~prediction), colors.TRUTH, _ERROR_FILL)
    return drawn


def outlined(grey: np.ndarray, mask: np.ndarray, color: str) -> np.ndarray:
    """Tint a mask and draw its outline, inside the mask.

    Args:
        grey: Slice ``(y, x)``, uint8.
        mask: ``(y, x)``, bool.
        color: ``#rrggbb``.

    Returns:
        uint8 ``(y, x, 3)``, averaged down to ``SHOWN_PX``.
    """
    drawn = as_rgb(shrunk(grey))
    coverage = _coverage(mask)
    solid = coverage >= 0.5
    # Outlines are as thick in proportion for any size; `border_value` keeps them off the border of the picture.
    inside = ndimage.binary_erosion(solid, iterations=max(1, round(max(solid.shape) / 250)), border_value=1)
    _tint(drawn, coverage, color, _FILL)
    _tint(drawn, (solid & ~inside).astype(np.float32), color, 1.0)
    return drawn


def detail_window(foreground: np.ndarray) -> tuple[slice, slice] | None:
    """Return the square window, a third of the slice wide, that holds most foreground.

    Args:
        foreground: Mask ``(y, x)``, bool.

    Returns:
        Slices along y and x, or ``None`` without foreground.
    """
    if not foreground.any():
        return None
    height, width = foreground.shape
    side = max(1, max(foreground.shape) // _DETAIL_PART)
    # Summed-area table: the foreground of any window from its four corners.
    sums = np.pad(foreground.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = min(side, height), min(side, width)
    counts = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    # Of many windows with all of it, the one in the middle shows it centred.
    best = np.argwhere(counts == counts.max())
    y, x = best[np.abs(best - best.mean(0)).sum(1).argmin()]
    return slice(int(y), int(y) + rows), slice(int(x), int(x) + columns)


def _row(
    grey: np.ndarray, truth: np.ndarray, prediction: np.ndarray, pixel_nm: float | None, suffix: str = ""
) -> tuple[Panel, ...]:
    # Small slices are drawn larger, so that outlines stay thin beside the pixels.
    factor = max(1, SHOWN_PX // 2 // max(grey.shape))
    width = grey.shape[1]
    grey, truth, prediction = (a.repeat(factor, 0).repeat(factor, 1) for a in (grey, truth, prediction))
    images = {
        "Slice": as_rgb(shrunk(grey)),
        "Truth": outlined(grey, truth, colors.TRUTH),
        "Prediction": outlined(grey, prediction, colors.PREDICTION),
        "Errors": error_map(grey, truth, prediction),
    }
    shown_nm = None if pixel_nm is None else pixel_nm * width / images["Slice"].shape[1]
    return tuple(Panel(title + suffix, image, shown_nm) for title, image in images.items())


def as_rgb(grey: np.ndarray) -> np.ndarray:
    """Return a grey image ``(y, x)`` as ``(y, x, 3)``."""
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


def _tint(drawn: np.ndarray, coverage: np.ndarray, color: str, share: float) -> None:
    """Mix a colour into an RGB image, in place, as strongly as ``coverage`` (0 to 1) and ``share`` say."""
    # (y, x, 1), for all three colours
    part = share * coverage[..., np.newaxis]
    drawn[...] = np.rint((1 - part) * drawn + part * np.asarray(colors.rgb(color), np.float32))


def _coverage(mask: np.ndarray) -> np.ndarray:
    """Return how much of each shown pixel a mask covers; what is small fades but does not vanish."""
    return shrunk(mask.astype(np.uint8) * 255).astype(np.float32) / 255


def shrunk(image: np.ndarray) -> np.ndarray:
    """Average a uint8 image down to ``SHOWN_PX``."""
    scale = SHOWN_PX / max(image.shape)
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def framed(shown: np.ndarray, window: tuple[slice, slice], full_shape: tuple[int, ...]) -> np.ndarray:
    """Draw a window of the full slice as a frame on the shown one."""
    # From pixels of the slice to those of the picture.
    scale = shown.shape[0] / full_shape[0]
    y0, y1, x0, x1 = (round(end * scale) for span in window for end in (span.start, span.stop))
    framed = Image.fromarray(shown)
    draw = ImageDraw.Draw(framed)
    for outside, color in ((1, "black"), (0, "white"), (-1, "black")):  # shows on any ground
        draw.rectangle((x0 - outside, y0 - outside, x1 - 1 + outside, y1 - 1 + outside), outline=color)
    return np.asarray(framed)
