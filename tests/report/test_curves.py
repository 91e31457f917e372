"""Curves show the numbers they are given."""

from __future__ import annotations

import io
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from segkit.report import colors
from segkit.report.curves import Curve, best_epoch, curves

SCORES = (0.5, 0.62, 0.81, 0.81, 0.7)
HISTORY = [
    {"epoch": i, "loss": 1.0 - 0.1 * i, "val_loss": 1.2 - 0.1 * i, "mean_iou": 0.6 + 0.05 * i,
     "val_mean_iou": score, "learning_rate": 1e-3 if i < 3 else 5e-4}
    for i, score in enumerate(SCORES)
]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def drawn_points(figure: bytes, name: str) -> np.ndarray:
    """Return the vertices ``(n, 2)`` of a line of a figure [pt], y downwards."""
    tree = ElementTree.fromstring(figure.replace(b"xlink:", b""))
    [group] = [element for element in tree.iter(f"{SVG}g") if element.get("id") == name]
    path = group.find(f"{SVG}path")
    assert path is not None
    return np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path.get("d", "")), float)


def line_color(figure: bytes, name: str) -> str:
    text = figure.decode()
    part = text[text.index(f'id="{name}"') :]
    found = re.search(r"stroke: (\S+?);", part)
    assert found is not None
    return found[1]


def test_three_figures() -> None:
    assert list(curves(HISTORY)) == ["Loss", "Mean IoU", "Learning rate"]


@pytest.mark.parametrize(
    ("title", "training", "validation"),
    [("Loss", "loss", "val_loss"), ("Mean IoU", "mean_iou", "val_mean_iou")],
)
def test_the_lines_are_the_series(title: str, training: str, validation: str) -> None:
    figure = curves(HISTORY)[title]
    lines = np.concatenate([drawn_points(figure, "series-training"), drawn_points(figure, "series-validation")])
    values = np.array([row[training] for row in HISTORY] + [row[validation] for row in HISTORY])
    epochs = np.tile(np.arange(1, 6), 2)
    for drawn, given, sign in ((lines[:, 0], epochs, 1), (lines[:, 1], values, -1)):
        slope, offset = np.polyfit(given, drawn, 1)
        assert np.sign(slope) == sign
        np.testing.assert_allclose(drawn, slope * given + offset, atol=1e-3)
    assert line_color(figure, "series-training") == colors.TRUTH
    assert line_color(figure, "series-validation") == colors.PREDICTION


def test_the_first_best_epoch_is_marked() -> None:
    assert best_epoch(HISTORY) == 2
    for figure in curves(HISTORY).values():
        (x, _), _ = drawn_points(figure, "best-epoch")
        name = "series-validation" if b"series-validation" in figure else "series-learning-rate"
        assert x == pytest.approx(drawn_points(figure, name)[2, 0], abs=1e-3)
        assert b">epoch (best: 3)</text>" in figure


def test_a_fall_of_several_decades_is_drawn_on_a_log_scale() -> None:
    history = [{"epoch": i, "loss": loss} for i, loss in enumerate((100.0, 10.0, 1.0))]
    y = drawn_points(curves(history)["Loss"], "series-training")[:, 1]
    assert y[1] - y[0] == pytest.approx(y[2] - y[1], rel=1e-3)


def test_without_a_monitor_nothing_is_marked() -> None:
    figures = curves([{"epoch": i, "loss": 1.0} for i in range(3)])
    assert list(figures) == ["Loss"]
    assert b"best" not in figures["Loss"]
    assert b"series-validation" not in figures["Loss"]


def test_one_epoch_and_none() -> None:
    figure = curves(HISTORY[:1])["Loss"]
    assert b"<use" in figure[figure.index(b'id="series-training"') :]  # a marker: a line of one point is invisible
    assert curves([]) == {}


def test_values_that_are_not_finite_leave_gaps() -> None:
    history = [{**row, "loss": math.nan if i == 2 else row["loss"]} for i, row in enumerate(HISTORY)]
    assert len(drawn_points(curves(history)["Loss"], "series-training")) == 4
    lost = [{**row, "loss": math.inf, "val_loss": math.nan} for row in HISTORY]
    assert list(curves(lost)) == ["Mean IoU", "Learning rate"]


def test_numbers_as_a_csv_file_holds_them() -> None:
    text = [{name: str(value) for name, value in row.items()} for row in HISTORY]
    assert curves(text) == curves(HISTORY)


def test_png() -> None:
    image = Image.open(io.BytesIO(curves(HISTORY, format="png")["Loss"]))
    assert image.format == "PNG"
    assert len(set(image.convert("RGB").getcolors(maxcolors=100_000))) > 10
    with pytest.raises(ValueError, match='`format` must be "svg" or "png"'):
        curves(HISTORY, format="gif")


@pytest.mark.parametrize(("number", "stands_below"), [(3, False), (4, True)])
def test_a_legend_of_many_lines_stands_below_the_axes(number: int, stands_below: bool) -> None:
    labels = {f"s{i}": f"series {i}" for i in range(number)}
    rows = [{"epoch": e, **{name: e + i for i, name in enumerate(labels)}} for e in range(3)]
    figure = curves(rows, monitor=None, figures=[Curve("All", labels)])["All"]
    lines = np.concatenate([drawn_points(figure, f"series-{label.replace(' ', '-')}") for label in labels.values()])
    tree = ElementTree.fromstring(figure.replace(b"xlink:", b""))
    [legend] = [element for element in tree.iter(f"{SVG}g") if (element.get("id") or "").startswith("legend")]
    samples = [path.get("d", "") for path in legend.iter(f"{SVG}path")]
    heights = np.array(re.findall(r"[ML] [-\d.]+ ([-\d.]+)", " ".join(samples)), float)
    assert (heights.min() > lines[:, 1].max()) == stands_below
