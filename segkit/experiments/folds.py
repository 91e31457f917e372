"""Cross-validation: one run for each fold of the annotated data, and a table of their scores."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segkit.data.sources import Source, write_slices
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments.draft import Draft
from segkit.experiments.plan import PLAN_NAME, RunPlan, read_plan
from segkit.experiments.resume import SCORES_NAME, has_ended
from segkit.experiments.tables import Table, spread_text
from segkit.json_object import read_object
from segkit.model_path import FOLD_PREFIX, fold_folders
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")
_USES = ("train", "validation", "test")
TABLE_NAME = "folds"


def folded(draft: Draft, count: int) -> list[Draft]:
    """Return a run for each fold: another part of the data is scored in each, and every part in one of them.

    Whole volumes are distributed over the folds where there are enough of them; otherwise the annotated slices of each
    volume are, in runs of neighbouring slices, which look alike. The part after the scored one chooses the checkpoint,
    and all others are trained on. What the draft measures is measured again for each fold; a plan that was
    read from a file measures nothing.

    Args:
        draft: The run; what its slices are for does not matter.
        count: Number of folds, at least 3.

    Raises:
        InputError: If there are too few volumes and slices.
    """
    if count < 3:
        raise InputError(f"--folds {count}; give at least 3: one part is scored, one chooses the checkpoint")
    drafts = []
    for number in range(count):
        plan = dataclasses.replace(
            draft.plan,
            data=fold_sources(draft.plan.data, number, count),
            preset=f"{draft.plan.preset}, fold {number + 1} of {count}",
            notices=tuple(notice for notice in draft.plan.notices if notice != draft.split_notice),
        )
        folder = draft.folder / f"{FOLD_PREFIX}{number + 1}"
        drafts.append(dataclasses.replace(draft, plan=plan, folder=folder, is_fold=True))
    return drafts


def fold_sources(sources: Sequence[Source], number: int, count: int) -> tuple[Source, ...]:
    """Return the sources of a fold.

    Args:
        sources: Sources; all slices that serve any use are annotated.
        number: The fold, from 0 on.
        count: Number of folds.

    Raises:
        InputError: If a volume has fewer annotated slices than there are folds, and there are fewer volumes, too.

    Example:
        >>> one = Source(tomogram="T.mrc", mask="M.mrc", train="0-4,6", validation="5")
        >>> fold_sources([one], 2, 3)[0].train, fold_sources([one], 2, 3)[0].test
        ('3-4', '5-6')
    """
    annotated = [_annotated(source) for source in sources]
    if len(sources) >= count:
        parts = np.array_split(np.arange(len(sources)), count)
        part_of = {int(index): part for part, indices in enumerate(parts) for index in indices}
        return tuple(
            dataclasses.replace(source, **_uses({part_of[index]: slices}, number, count))
            for index, (source, slices) in enumerate(zip(sources, annotated, strict=True))
        )
    for source, slices in zip(sources, annotated, strict=True):
        if len(slices) < count:
            raise InputError(
                f"{source.tomogram}: {len(slices)} annotated slices, but {count} folds; give fewer, or more volumes"
            )
    return tuple(
        dataclasses.replace(source, **_uses(dict(enumerate(np.array_split(slices, count))), number, count))
        for source, slices in zip(sources, annotated, strict=True)
    )


def _annotated(source: Source) -> list[int]:
    texts = [text for use in _USES if (text := getattr(source, use))]
    # The last slice that is named: the plan does not know how many there are.
    return sorted({z for text in texts for z in parse_slices(text, _MOST)})


_MOST = 10**9


def _uses(parts: Mapping[int, Sequence[int]], number: int, count: int) -> dict[str, str]:
    """Return the slices of a source for every use, from the parts that it has."""
    found: dict[str, list[int]] = {use: [] for use in _USES}
    for part, slices in parts.items():
        use = "test" if part == number else "validation" if part == (number + 1) % count else "train"
        found[use] += [int(z) for z in slices]
    return {use: write_slices(sorted(slices)) for use, slices in found.items()}


def write_summary(root: pathlib.Path) -> Table | None:
    """Write the scores of all folds, ``folds.json`` and ``folds.md``, and a page; nothing before all have ended.

    Args:
        root: Folder of the folds, with the file that tells their number.

    Returns:
        The table; ``None`` if a fold has no scores yet.

    Raises:
        InputError: If a file of a fold is damaged.
    """
    folders = fold_folders(root)
    if not folders or not all(map(has_ended, folders)):
        return None
    plans = [read_plan(folder / PLAN_NAME) for folder in folders]
    found = [read_object(folder / SCORES_NAME, "the scores of a run") for folder in folders]
    totals = [_shown(scores["total"], plans[0]) for scores in found]
    table = _table([folder.name for folder in folders], totals)
    content = {"folds": [{"folder": folder.name, **total} for folder, total in zip(folders, totals, strict=True)]}
    for suffix, text in ((".json", json.dumps(content, indent=1)), (".md", table.to_markdown())):
        with whole_file(root / f"{TABLE_NAME}{suffix}", overwrite=True) as unfinished:
            unfinished.write_text(text + "\n")
    notices, warnings = (
        tuple(line for line in getattr(plans[0], told) if all(line in getattr(plan, told) for plan in plans))
        for told in ("notices", "warnings")
    )
    _write_page(
        root,
        dataclasses.replace(plans[0], notices=notices, warnings=warnings),
        table,
        sum(scores["training_seconds"] for scores in found),
    )
    for line in table.to_markdown().splitlines():
        _LOG.info("%s", line)
    _LOG.info("report: %s", root / "report.html")
    return table


def _shown(total: Mapping[str, Any], plan: RunPlan) -> dict[str, float | None]:
    """Return the scores of a run that pages show, by their titles; counts are none."""
    # Here, not above: the page's modules load an imaging library.
    from segkit.report.sections import SCORE_NAMES

    titles = {**SCORE_NAMES, **plan.task.score_titles}
    shown = {title: total[name] for name, title in titles.items() if name in total}
    return {**shown, **{f"IoU: {name}": value for name, value in (total.get("iou") or {}).items()}}


def _table(names: Sequence[str], totals: Sequence[Mapping[str, float | None]]) -> Table:
    head = list(totals[0])
    rows = []
    for name, chosen in (*zip(names, ([total] for total in totals), strict=True), ("mean", totals)):
        rows.append([name, *(spread_text([total.get(score) for total in chosen]) for score in head)])
    return Table(["fold", *head], rows)


def _write_page(root: pathlib.Path, plan: RunPlan, table: Table, seconds: float) -> None:
    from segkit.experiments.provenance import commands_of, versions
    from segkit.report.page import Section
    from segkit.report.sections import Provenance, Warned
    from segkit.report.write_report import write_report

    count = len(table.rows) - 1
    write_report(
        root / "report.html",
        title=plan.title(f"{count} folds"),
        summary=[(title, value) for title, value in zip(table.head[1:4], table.rows[-1][1:4], strict=True)],
        notices=[
            *plan.notices,
            "Every part of the data is scored by a network that has not seen it. Each fold has a report of its own; "
            "numbers are mean and standard deviation over the folds.",
            *map(Warned, plan.warnings),
        ],
        extra=[Section("Folds", table.to_html())],
        provenance=Provenance(versions=versions(), seed=plan.training.seed, seconds=seconds, command=commands_of(root)),
        overwrite=True,
    )
