"""The report of a training run."""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from segkit.errors import InputError
from segkit.monitor import MEAN_IOU, Monitor
from segkit.report import sections
from segkit.report.overlay import Overlay
from segkit.report.page import Section, render_page

FOOTER = (
    "Slices, rows and columns are counted from 0. Pictures show row 0 at the top; 3dmod and ChimeraX show row 0 of an "
    "MRC file at the bottom. Written by segkit."
)


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    summary: Sequence[tuple[str, str]] = (),
    notices: Sequence[str | sections.Warned] = (),
    plan: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    monitor: Monitor = MEAN_IOU,
    evaluation: Mapping[str, Any] | None = None,
    score_titles: Mapping[str, str] | None = None,
    overlays: Sequence[Overlay] = (),
    provenance: sections.Provenance | None = None,
    extra: Sequence[Section] = (),
    created: datetime.datetime | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Write one HTML page that holds everything it shows.

    It reads well on a phone and on a desk, light or dark, and runs no scripts. Sections whose data are
    missing are left out. Other models build pages of their own from ``segkit.report.sections`` and
    ``segkit.report.page.render_page``.

    Args:
        path: Target, such as ``report.html`` in the run folder; is written atomically.
        title: Heading, such as ``"segET-centriole"``.
        summary: Headline numbers: name and value.
        notices: What a reader must know first: a phantom, the demo preset; as ``Warned`` what may be wrong.
        plan: Settings of the run; nested mappings become groups.
        history: One row per epoch, epochs counted from 0; see ``segkit.report.curves``.
        monitor: The score that chose the checkpoint, such as ``Task.monitor``; validation mIoU by default.
        evaluation: ``{"total": {score: value}, "slices": [{"z": 3, score: value, ...}, ...]}``.
        score_titles: Titles of scores that segkit does not know, such as ``Task.score_titles``.
        overlays: Slices to look at, as ``segkit.report.overlay.overlay`` draws them.
        provenance: How the run was made.
        extra: More sections, shown after the slices.
        created: When the page was made; now by default.
        overwrite: Replace an existing page.

    Returns:
        The path.

    Raises:
        InputError: If the page exists and ``overwrite`` is false, or cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path}: already exists; choose another name or allow overwriting")
    created = created or datetime.datetime.now().astimezone()
    page = render_page(
        title,
        [
            sections.headline(summary),
            sections.notices(notices),
            sections.training_curves(history, monitor),
            sections.scores(evaluation or {}, score_titles),
            sections.overlays(overlays),
            *extra,
            sections.plan_table(plan or {}),
            sections.how_it_was_made(provenance or sections.Provenance()),
        ],
        subtitle=created.strftime("%d %B %Y, %H:%M").lstrip("0"),
        footer=FOOTER,
    )
    # Written next to the page and renamed: readers never see half of it.
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(page, encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as fault:
        raise InputError(
            f"{path}: the report cannot be written ({fault.strerror}); free some space there or choose another folder"
        ) from fault
    finally:
        unfinished.unlink(missing_ok=True)
    return path
