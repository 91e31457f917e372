"""Variants times seeds: which trials there are, and what a recipe says of their comparison."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segkit.experiments.tables import Row, Table

if TYPE_CHECKING:
    from segkit.experiments.job import Job
    from segkit.report.page import Section

_LOG = logging.getLogger("segkit.run")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One variant with one seed.

    Attributes:
        variant: Name of the variant.
        seed: Its seed.
        result: What was found, as ``json`` writes it; ``None`` where the variant cannot be tried here.
    """

    variant: str
    seed: int
    result: Mapping[str, Any] | None


def run_trials(
    variants: Sequence[str],
    seeds: Sequence[int],
    run: Callable[[str, int], Mapping[str, Any] | None],
    after_each: Callable[[list[Trial]], None] | None = None,
) -> list[Trial]:
    """Run every variant with every seed, all variants of one seed before the next.

    Args:
        variants: Names of the variants.
        seeds: The seeds.
        run: Called with a variant and a seed; returns what was found, at once where an earlier run has found it, or
            ``None`` where the variant cannot be tried.
        after_each: Called with all trials so far.

    Returns:
        The trials in the order they were run.
    """
    trials: list[Trial] = []
    for seed in seeds:
        for variant in variants:
            _LOG.info("trial: %s, seed %d", variant, seed)
            trials.append(Trial(variant, seed, run(variant, seed)))
            if after_each is not None:
                after_each(trials)
    return trials


def tidy_rows(
    trials: Sequence[Trial],
    scores: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Row]:
    """Return a row for every trial and score.

    Args:
        trials: The trials; one without a result has no row.
        scores: Called with a result; returns ``{"score", "value"}`` for each score, with more entries where a name does
            not distinguish scores.
        facts: More entries for the rows of each variant.

    Example:
        >>> tidy_rows([Trial("plain", 0, {"seg": 0.8})], lambda result: [{"score": "seg", "value": result["seg"]}])
        [{'variant': 'plain', 'seed': 0, 'score': 'seg', 'value': 0.8}]
    """
    return [
        {"variant": trial.variant, "seed": trial.seed, **(facts or {}).get(trial.variant, {}), **score}
        for trial in trials
        if trial.result is not None
        for score in scores(trial.result)
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """What trials show.

    Attributes:
        title: Title of the report.
        rows: A tidy row for every trial and score.
        table: The rows as readers see them.
        entries: More entries for the JSON file.
        notices: What a reader of the results must know.
        sections: Returns more sections for the report, behind the table; called when the report is written.
    """

    title: str
    rows: Sequence[Row]
    table: Table
    entries: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notices: Sequence[str] = ()
    sections: Callable[[], Sequence[Section]] = lambda: ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a recipe can compare.

    Attributes:
        kind: Names the option and the entry in ``mode.json``: ``"compare"`` or ``"ablation"``.
        noun: What variants are called, plural; names the option that chooses some.
        file_name: Of the files ``.json`` and ``.md`` that it leaves.
        variants: Names of all variants.
        chosen: Names of those that are compared where none are chosen; empty for all.
        has_seeds: Each is tried with several seeds, chosen with ``--seeds``; otherwise with the plan's.
        help: Help of the option.
        vary: Called once with the job that holds data, settings and folder; returns a function from variant and seed to
            the job of its trial, or to ``None`` where it cannot be tried.
        findings: Called with the job and the trials so far.
    """

    kind: str
    noun: str
    file_name: str
    variants: Sequence[str]
    chosen: Sequence[str] = ()
    has_seeds: bool = True
    help: str
    vary: Callable[[Job], Callable[[str, int], Job | None]]
    findings: Callable[[Job, Sequence[Trial]], Findings]
