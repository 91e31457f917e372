"""What a search over settings has found, as a figure."""

from __future__ import annotations

import csv
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from segkit.report.curves import encode, style_axes
from segkit.report.page import Section, escape, inline_svg, table

_MAP = "coolwarm"  # blue is low and red is high, as in the paper
_LOG_FROM = 20.0  # ratio of the largest to the smallest value of a setting


def read_trials(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Return the rows of a search's ``trials.csv``; none where there is no such file."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def search_section(trials: Sequence[dict[str, str]]) -> Section:
    """Show the trials of a search: a scatter coloured by the score, and the table, best first."""
    finished = [row for row in trials if row["score"]]
    if not finished:
        return Section("", "")
    names = [name for name in finished[0] if name not in ("trial", "epochs", "score", "status")]
    figure = search_scatter(finished, names)
    ranked = sorted(finished, key=lambda row: -float(row["score"]))
    columns = ["trial", *names, *(["epochs"] if any(row["epochs"] for row in ranked) else []), "score"]
    cells = [[f"<td>{escape(_short(row[name]))}</td>" for name in columns] for row in ranked]
    body = f'<div class="curves"><div>{inline_svg(figure, "trials of the search")}</div></div>'
    folded = f"<details><summary>All {len(ranked)} trials</summary>{table(columns, cells, kind='numbers')}</details>"
    return Section("Search", body + folded)


def search_scatter(trials: Sequence[dict[str, Any]], names: Sequence[str], *, format: str = "svg") -> bytes:
    """Draw the trials of a search over one or two settings.

    Args:
        trials: A row each: the value of every setting, and ``score``.
        names: The settings: two are the axes and the score is the colour; one is an axis and the score the other.
        format: ``"svg"`` or ``"png"``.

    Raises:
        ValueError: If there are more settings or none.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Figs. 7 and 8.
    """
    if not 1 <= len(names) <= 2:
        raise ValueError(f"`names` must be one or two settings. Received: names={list(names)!r}")
    columns = {name: np.array([float(row[name]) for row in trials]) for name in (*names, "score")}
    # With one setting the score is the second axis.
    x, y = (columns[name] for name in (*names, "score")[:2])
    figure = Figure(figsize=(4.8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.scatter(x, y, c=columns["score"], cmap=_MAP, s=34, edgecolors="#808080", linewidths=0.6)
    best = int(columns["score"].argmax())
    axes.scatter(x[best], y[best], s=130, facecolors="none", edgecolors="#808080", linewidths=1.6, gid="best-trial")
    for values, axis in ((x, axes.xaxis), (y, axes.yaxis))[: len(names)]:
        if values.min() > 0 and values.max() / values.min() > _LOG_FROM:
            (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    style_axes(axes, "Validation mIoU of each trial", names[0].replace("_", " "))
    axes.set_ylabel(names[1].replace("_", " ") if len(names) == 2 else "validation mIoU")
    if len(names) == 2:
        style_axes(figure.colorbar(shown, ax=axes).ax, "", "mIoU")
    return encode(figure, format, salt="search")


def _short(text: str) -> str:
    try:
        return f"{float(text):.4g}" if "." in text else text
    except ValueError:
        return text
