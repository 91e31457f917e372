"""Training curves."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from segkit.monitor import MEAN_IOU, Monitor
from segkit.report import colors


class Curve(NamedTuple):
    """One figure.

    Attributes:
        title: Its name.
        columns: Columns of the history it shows, under the names in its legend.
        log_from: Ratio of the largest to the smallest value from which its axis is logarithmic.
    """

    title: str
    columns: Mapping[str, str]
    log_from: float = math.inf


_INK = "#010203"  # placeholder for the colour of the text around the figure
_SERIES = {"training": colors.TRUTH, "validation": colors.PREDICTION}
_OTHER_SERIES = [color for color in colors.CLASSES if color not in ("#f0e442", "#ffffff")]  # read on white ground
_MAX_INSIDE = 3  # entries of a legend inside the axes


def curves(
    history: Sequence[Mapping[str, Any]],
    *,
    monitor: Monitor | None = MEAN_IOU,
    format: str = "svg",
    figures: Sequence[Curve] | None = None,
) -> dict[str, bytes]:
    """Draw loss, monitored score and learning rate over the epochs, one figure each, the best epoch marked.

    They are separate figures so that a narrow page can stack them. The ink of SVG figures is
    ``currentColor``: inside a page it is the page's text colour, light or dark.

    Args:
        history: One row per epoch: ``epoch`` counted from 0 (its place in the list where missing), ``loss``,
            ``val_loss``, ``learning_rate``, and the monitored score on training and validation patches. A figure
            without any of its columns is left out; values that are not finite leave gaps.
        monitor: The score whose best value marks the best epoch; ``None`` to mark none.
        format: ``"svg"`` or ``"png"``.
        figures: What to draw; by default loss, monitored score and learning rate.

    Returns:
        Encoded figures by title.

    Raises:
        ValueError: If the format is another.
    """
    if format not in ("svg", "png"):
        raise ValueError(f'`format` must be "svg" or "png". Received: format={format!r}')
    best = None if monitor is None else best_epoch(history, monitor)
    drawn = {}
    for curve in training_figures(monitor) if figures is None else figures:
        series = {label: _column(history, column) for column, label in curve.columns.items()}
        series = {label: values for label, values in series.items() if np.isfinite(values).any()}
        if series:
            figure = _draw(curve, _column(history, "epoch") + 1, series, best)
            drawn[curve.title] = encode(figure, format, salt=curve.title)
    return drawn


def training_figures(monitor: Monitor | None) -> list[Curve]:
    """Return the figures of a training: loss, monitored score where it is not the loss, and learning rate."""
    score = []
    if monitor is not None and monitor.training_name != "loss":
        columns = {monitor.training_name: "training", monitor.name: "validation"}
        score = [Curve(_TITLES.get(monitor.training_name, monitor.title), columns)]
    return [
        Curve("Loss", {"loss": "training", "val_loss": "validation"}, 30.0),
        *score,
        Curve("Learning rate", {"learning_rate": "learning rate"}, 2.0),
    ]


_TITLES = {"mean_iou": "Mean IoU"}


def best_epoch(history: Sequence[Mapping[str, Any]], monitor: Monitor = MEAN_IOU) -> int | None:
    """Return the place of the first row with the best value of a score; ``None`` if no row has one."""
    values = _column(history, monitor.name)
    best = np.nanargmax if monitor.mode == "max" else np.nanargmin
    return int(best(values)) if np.isfinite(values).any() else None


def _column(history: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return a column as float64; what is missing or not finite is NaN."""
    default = range(len(history)) if name == "epoch" else [math.nan] * len(history)
    values = np.array([float(row.get(name, other)) for row, other in zip(history, default, strict=True)])
    return np.where(np.isfinite(values), values, np.nan)


def _draw(curve: Curve, epochs: np.ndarray, series: Mapping[str, np.ndarray], best: int | None) -> Figure:
    # Colours: a single series has the ink of the text, training and validation always have theirs.
    inks = {label: _OTHER_SERIES[i % len(_OTHER_SERIES)] if len(series) > 1 else _INK for i, label in enumerate(series)}
    inks |= {label: color for label, color in _SERIES.items() if label in series}
    is_crowded = len(series) > _MAX_INSIDE
    height = 2.9 + (0.2 * math.ceil(len(series) / 2) if is_crowded else 0.0)
    figure = Figure(figsize=(4.4, height), layout="constrained")
    axes = figure.add_subplot()
    for label, values in series.items():
        marker = "o" if len(epochs) < 3 else None  # a line of one point is invisible
        axes.plot(
            epochs,
            values,
            color=inks[label],
            label=label,
            linewidth=1.8,
            marker=marker,
            gid="series-" + label.replace(" ", "-"),
        )
    # Logarithmic only where values span a large ratio and are all positive.
    finite = np.concatenate([values[np.isfinite(values)] for values in series.values()])
    if finite.min() > 0 and finite.max() / finite.min() > curve.log_from:
        axes.set_yscale("log")
        # Ticks at 1, 2 and 5 would crowd an axis of many decades.
        steps = (1.0, 2.0, 5.0) if finite.max() / finite.min() < 100 else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")
    if best is not None:
        axes.axvline(epochs[best], color=_INK, linewidth=1, linestyle=(0, (4, 3)), gid="best-epoch", zorder=0)
        for label, values in series.items():
            axes.plot(
                epochs[best],
                values[best],
                "o",
                color=inks[label],
                markersize=5,
                gid="best-" + label.replace(" ", "-"),
            )
    style_axes(axes, curve.title, "epoch" if best is None else f"epoch (best: {epochs[best]:.0f})")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    look = {"frameon": False, "labelcolor": _INK, "fontsize": 8.5}
    if is_crowded:  # inside it would cover the lines
        figure.legend(loc="outside lower left", ncols=2, **look)
    elif len(series) > 1:
        axes.legend(**look)
    return figure


def style_axes(axes: Axes, title: str, xlabel: str) -> None:
    """Give a figure's axes the look of the reports: the ink of the page, no box, a faint grid."""
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=_INK)
    axes.set_xlabel(xlabel, color=_INK)
    axes.tick_params(which="both", colors=_INK, labelsize=8.5, length=3)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)
        label.set_color(_INK)
    axes.grid(color=_INK, alpha=0.14, linewidth=0.8)
    axes.patch.set_alpha(0)
    axes.figure.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_edgecolor(_INK)
        spine.set_alpha(0.5)


def encode(figure: Figure, format: str, salt: str) -> bytes:
    """Return a figure as the bytes of an SVG file in the ink of the page, or of a PNG file.

    Args:
        figure: The figure.
        format: ``"svg"`` or ``"png"``.
        salt: Word that distinguishes the ids inside from those of other figures on a page.
    """
    target = io.BytesIO()
    if format == "png":
        figure.savefig(target, format="png", dpi=150, facecolor="white", transparent=False)
        return target.getvalue()
    # Text stays text: it takes the font of the page. A salt makes the same figure the same bytes, and one a
    # figure keeps the ids inside unique on a page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(target, format="svg", metadata=nothing, transparent=True)
    # The placeholder colour occurs nowhere else.
    return target.getvalue().replace(_INK.encode(), b"currentColor")
