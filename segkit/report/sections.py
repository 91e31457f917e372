"""The sections of a report, each from the data it shows."""

from __future__ import annotations

import dataclasses
import math
import numbers
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from segkit.evaluation.evaluate_instances import COUNT_TITLES
from segkit.monitor import MEAN_IOU, Monitor
from segkit.progress import clock
from segkit.report.curves import Curve, curves
from segkit.report.overlay import Overlay, Panel
from segkit.report.page import Section, escape, image_tag, inline_svg, table

SCORE_NAMES = {
    "seg": "SEG",
    "ap_50": "AP at IoU 0.5",
    "mean_ap": "AP, IoU 0.5 to 0.95",
    "mean_iou": "Mean IoU",
    "foreground_iou": "Foreground IoU",
    "background_iou": "Background IoU",
    "dice": "Dice",
    "precision": "Precision",
    "recall": "Recall",
    "pixel_accuracy": "Pixel accuracy",
}
"""Scores from 0 to 1 in the order of their columns; others follow under their own names."""

_COUNT_NAMES = {name: title.capitalize() for name, title in COUNT_TITLES.items()}

_IOU_OF = "IoU: "
_MISSING = "\N{EN DASH}"


def headline(summary: Sequence[tuple[str, str]]) -> Section:
    """Show the few numbers that matter, large.

    Args:
        summary: What it is and its value, such as ``("Foreground IoU", "0.84")``.
    """
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in summary)
    return Section("", f'<dl class="scores">{cards}</dl>' if cards else "")


@dataclasses.dataclass(frozen=True)
class Warned:
    """A notice of something that may be wrong; shown apart from plain information.

    Attributes:
        text: What it is, and what to do about it.
    """

    text: str


def notices(messages: Sequence[str | Warned]) -> Section:
    """Show what a reader must know before believing the numbers; warnings first."""
    warned = [message for message in messages if isinstance(message, Warned)]
    plain = [message for message in messages if not isinstance(message, Warned)]
    items = "".join(f'<li class="warned">{escape(message.text)}</li>' for message in warned)
    items += "".join(f"<li>{escape(message)}</li>" for message in plain)
    return Section("", f'<ul class="notices">{items}</ul>' if items else "")


def training_curves(history: Sequence[Mapping[str, Any]], monitor: Monitor = MEAN_IOU) -> Section:
    """Show loss, monitored score and learning rate over the epochs; see ``segkit.report.curves``."""
    figures = curves(history, monitor=monitor) if history else {}
    drawn = "".join(f"<div>{inline_svg(figure, title + ' per epoch')}</div>" for title, figure in figures.items())
    return Section("Training", f'<div class="curves">{drawn}</div>' if drawn else "")


def validation_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], title: str = "Training", *, monitor: Monitor = MEAN_IOU
) -> Section:
    """Show the monitored score of several trainings over the epochs in one figure.

    Args:
        histories: Rows with the score, one per epoch, by the name of the training.
        title: Heading.
        monitor: The score, such as ``Task.monitor``; validation mIoU by default.
    """
    length = max(len(rows) for rows in histories.values())
    merged = [
        {"epoch": epoch, **{name: rows[epoch][monitor.name] for name, rows in histories.items() if epoch < len(rows)}}
        for epoch in range(length)
    ]
    figures = curves(
        merged, monitor=None, figures=[Curve(f"Validation {monitor.title}", {name: name for name in histories})]
    )
    drawn = "".join(f"<div>{inline_svg(figure, name)}</div>" for name, figure in figures.items())
    return Section(title, f'<div class="curves">{drawn}</div>')


def magnitude_curves(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> Section:
    """Show how large the end of an encoder and its skip were over the epochs, one figure per training.

    Args:
        rows: Rows of ``RecordMagnitudes`` by the name of the training.
    """
    columns = {
        "skip": "skip",
        "bottleneck": "end of the encoder",
        "enhanced": "enhanced maps",
        "not_enhanced": "maps not enhanced",
    }
    drawn = ""
    for name, entries in rows.items():
        title = name or "Mean magnitude"
        # `curves` counts epochs from 0 and shows them from 1.
        counted = [{**entry, "epoch": entry["epoch"] - 1} for entry in entries]  # row 0 is the untrained network
        for figure in curves(counted, monitor=None, figures=[Curve(title, columns, 10.0)]).values():
            drawn += f"<div>{inline_svg(figure, title + ' per epoch')}</div>"
    return Section("Mean magnitude of the features", f'<div class="curves">{drawn}</div>' if drawn else "")


def scores(evaluation: Mapping[str, Any], titles: Mapping[str, str] | None = None) -> Section:
    """Show the scores of all slices together, and of each one in a part that unfolds.

    Args:
        evaluation: ``{"total": {score: value}, "slices": [{"z": 3, score: value, ...}, ...]}``; either may be
            missing. With several classes a score may be ``"iou": {class: value}``, and ``"confusion"`` of the total,
            true class by predicted class, is shown as a table under the names in ``"classes"``. A slice of one of
            several volumes tells its name under ``"volume"``.
        titles: Titles of other scores than those of ``SCORE_NAMES``, such as ``Task.score_titles``. Whatever else the
            total holds is shown among the counts.
    """
    # Scores are columns in the order of the titles, those of classes behind, counts apart.
    titles = {**SCORE_NAMES, **(titles or {})}
    total = _by_class(evaluation.get("total") or {})
    slices = [_by_class(entry) for entry in evaluation.get("slices") or ()]
    found = list(dict.fromkeys(name for entry in (total, *slices) for name in entry))
    of_classes = [name for name in found if name.startswith(_IOU_OF)]
    columns = [*(name for name in titles if name in found), *of_classes]
    others = [name for name in total if name not in (*columns, "z", "confusion")]
    body = _score_table(columns, [("All slices", total)], titles) if total else ""
    if total and others:
        body += _folded("Counts", _score_table(others, [("All slices", total)], _COUNT_NAMES))
    if classes := evaluation.get("classes") if "confusion" in total else None:
        rows = [
            (name, dict(zip(classes, counts, strict=True)))
            for name, counts in zip(classes, total["confusion"], strict=True)
        ]
        what = "Voxels: true class (row), predicted class (column)"
        body += _folded(what, _score_table(classes, rows, dict(zip(classes, classes, strict=True))))
    if slices:
        rows = [(_slice_name(entry), entry) for entry in slices]
        what = "slice" if len(rows) == 1 else "slices"
        known = [name for name in columns if any(name in entry for entry in slices)]
        body += _folded(f"Scores of {len(rows)} {what}", _score_table(known, rows, titles, bars=True))
    return Section("Scores", body)


def _slice_name(entry: Mapping[str, Any]) -> str:
    place = f"z = {entry.get('z', _MISSING)}"
    return f"{entry['volume']}, {place}" if "volume" in entry else place


def _by_class(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with a score of its own for the IoU of every class."""
    return {
        **{name: value for name, value in entry.items() if name != "iou"},
        **{f"{_IOU_OF}{name}": value for name, value in (entry.get("iou") or {}).items()},
    }


def score_rows(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a table of scores, one line per entry, as HTML.

    Args:
        rows: Name and scores, as ``evaluation["total"]`` holds them; a score may be ``"iou": {class: value}``.
    """
    entries = [(name, _by_class(entry)) for name, entry in rows]
    found = dict.fromkeys(name for _, entry in entries for name in entry if name != "confusion")
    ordered = [*(name for name in SCORE_NAMES if name in found), *(name for name in found if name not in SCORE_NAMES)]
    return _score_table(ordered, entries, {**SCORE_NAMES, **_COUNT_NAMES})


def overlays(shown: Sequence[Overlay], title: str = "Slices") -> Section:
    """Show slices with truth, prediction and errors."""
    if not shown:
        return Section("", "")
    known = dict.fromkeys(entry for overlay in shown for entry in overlay.legend)
    legend = "".join(
        f'<span><span class="swatch" style="background:{color}"></span>{escape(meaning)}</span>'
        for color, meaning in known
    )
    return Section(title, f'<div class="legend">{legend}</div>' + "".join(map(_figure, shown)))


def plan_table(plan: Mapping[str, Any]) -> Section:
    """Show every setting; those of a nested mapping, or of several, under its name."""
    own = {}
    groups: list[tuple[str, Mapping[str, Any]]] = [("", own)]
    for name, value in plan.items():
        entries = value if isinstance(value, (list, tuple)) else [value]
        if entries and all(isinstance(entry, Mapping) for entry in entries):
            numbered = len(entries) > 1
            groups += [(f"{name} {i}" if numbered else name, entry) for i, entry in enumerate(entries, start=1)]
        else:
            own[name] = value
    tables = "".join(
        f"<div>{f'<h3>{escape(_spaced(name))}</h3>' if name else ''}{facts_table(_flat(values))}</div>"
        for name, values in groups
        if values
    )
    return Section("Plan", f'<div class="columns">{tables}</div>' if tables else "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """What is needed to repeat a run.

    Attributes:
        versions: Package and version.
        seed: Seed of the run.
        seconds: How long it took [s].
        command: Command line, as text or as its arguments.
    """

    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    seed: int | None = None
    seconds: float | None = None
    command: str | Sequence[str] | None = None


def how_it_was_made(run: Provenance) -> Section:
    """Show what is needed to repeat a run."""
    facts = {}
    if run.seed is not None:
        facts["seed"] = run.seed
    if (seconds := run.seconds) is not None:
        facts["time"] = f"{clock(seconds)} ({'h:mm:ss' if seconds >= 3600 else 'm:ss'})"
    parts = "".join(f"<div>{facts_table(part)}</div>" for part in (facts, run.versions) if part)
    body = f'<div class="columns">{parts}</div>' if parts else ""
    if run.command:
        command = run.command if isinstance(run.command, str) else shlex.join(run.command)
        body = f"<pre>{escape(command)}</pre>" + body
    return Section("How it was made", body)


def facts_table(facts: Mapping[str, Any]) -> str:
    """Return a table of names and values, as HTML."""
    rows = [
        (f"<th>{_breakable(name)}</th>", f"<td>{'none' if value in (None, '') else escape(_text(value))}</td>")
        for name, value in facts.items()
    ]
    return table((), rows, kind="facts")


def _score_table(
    names: Sequence[str],
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    titles: Mapping[str, str] = SCORE_NAMES,
    *,
    bars: bool = False,
) -> str:
    """Return a table of scores; with ``bars`` those between 0 and 1 are drawn too."""
    shares = [name for name in names if bars and (name in SCORE_NAMES or name.startswith(_IOU_OF))]
    cells = [
        [f"<td>{escape(label)}</td>", *(_score_cell(values.get(name), name in shares) for name in names)]
        for label, values in rows
    ]
    head = [name if name.startswith(_IOU_OF) else titles.get(name, _spaced(name)) for name in names]
    return table(["", *head], cells, kind="numbers")


def _score_cell(value: Any, bar: bool) -> str:
    if not bar or not isinstance(value, numbers.Real) or not math.isfinite(value):
        return f"<td>{escape(_text(value, digits=4))}</td>"
    return f'<td class="share" style="--share:{float(value):.3f}">{escape(_text(value, digits=4))}</td>'


def _figure(shown: Overlay) -> str:
    rows = "".join(
        '<div class="panels">' + "".join(_panel(panel, shown.caption) for panel in row) + "</div>" for row in shown.rows
    )
    return f"<figure><figcaption>{escape(shown.caption)}</figcaption>{rows}</figure>"


def _panel(panel: Panel, caption: str) -> str:
    bar = ""
    if panel.pixel_nm:
        length_nm = scale_bar_nm(panel.image.shape[1] * panel.pixel_nm)
        share = 100 * length_nm / (panel.image.shape[1] * panel.pixel_nm)
        label = f"{length_nm:g} nm" if length_nm < 1000 else f"{length_nm / 1000:g} µm"
        bar = f'<div class="bar" style="width:{share:.2f}%">{label}</div>'
    return (
        f'<div class="panel"><span>{escape(panel.title)}</span>'
        f"{image_tag(panel.image, f'{panel.title}: {caption}')}{bar}</div>"
    )


def scale_bar_nm(width_nm: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20, ... nm that is at most a quarter of a width [nm]."""
    # The power of ten below a quarter of the width.
    power = 10.0 ** math.floor(math.log10(width_nm / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= width_nm / 4)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _breakable(name: str) -> str:
    """Return a name as HTML that narrow screens break between its words, not within them."""
    return escape(name).replace("_", "_<wbr>").replace(".", ".<wbr>")


def _spaced(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _text(value: Any, digits: int | None = None) -> str:
    """Return a value for people to read; ``digits`` behind the point of a number that is not whole."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _MISSING
    # Before numbers, as bool is one.
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}".replace(",", "\u202f") if digits else str(value)
    if isinstance(value, numbers.Real):
        return f"{float(value):.{digits}f}" if digits else f"{float(value):.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or _MISSING
    return str(value)
