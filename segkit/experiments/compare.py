"""Compare variants of a job over seeds: resumable trials, tidy rows, a table and a report."""

from __future__ import annotations

import json
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from segkit.experiments.comparison import Comparison, Findings, Trial, run_trials
from segkit.experiments.job import Job
from segkit.experiments.provenance import commands_of, versions
from segkit.experiments.trials import run_trial
from segkit.report.page import Section
from segkit.report.sections import Provenance, Warned
from segkit.report.write_report import write_report
from segkit.training.resumable import Resumable
from segkit.volumes.whole_output import whole_file

_LOG = logging.getLogger("segkit.run")


def compare(
    job: Job,
    comparison: Comparison,
    measure: Callable[[Job, Resumable], dict[str, Any]],
    variants: Sequence[str],
    seeds: Sequence[int],
) -> list[Trial]:
    """Try every variant with every seed, and write the results as they come.

    Rows and table are written after each trial, the report after each round of variants.
    Trials that an earlier run has finished are not run again; an interrupted one resumes.

    Args:
        job: Data, settings and folder; what variants differ in does not count.
        comparison: What is compared.
        measure: Called with the job and the record of a published training; returns what is kept of it.
        variants: Names of the variants.
        seeds: Seeds of weights, order and augmentation.

    Raises:
        InputError: If the folder holds a trial of another plan.
    """
    vary = comparison.vary(job)

    def run(variant: str, seed: int) -> dict[str, Any] | None:
        varied = vary(variant, seed)
        return None if varied is None else run_trial(varied, measure)

    def write(trials: Sequence[Trial]) -> None:
        findings = comparison.findings(job, trials)
        write_rows(findings, job.folder, comparison.file_name)
        if len(trials) % len(variants) == 0:
            write_page(findings, comparison.noun.capitalize(), job, trials)

    trials = run_trials(variants, seeds, run, write)
    for line in comparison.findings(job, trials).table.to_markdown().splitlines():
        _LOG.info("%s", line)
    _LOG.info("report: %s", job.folder / "report.html")
    return trials


def write_rows(findings: Findings, folder: pathlib.Path, name: str) -> None:
    """Write ``<name>.json`` with the rows and ``<name>.md`` with the table."""
    values = {**findings.entries, "rows": list(findings.rows)}
    for suffix, text in ((".json", json.dumps(values, indent=1)), (".md", findings.table.to_markdown())):
        with whole_file(folder / f"{name}{suffix}", overwrite=True) as unfinished:
            unfinished.write_text(text + "\n")


def write_page(findings: Findings, heading: str, job: Job, trials: Sequence[Trial]) -> None:
    """Write ``report.html``: notices, table, more sections, plan and provenance."""
    plan = job.plan
    write_report(
        job.folder / "report.html",
        title=findings.title,
        notices=[*plan.notices, *findings.notices, *map(Warned, plan.warnings)],
        plan={name: value for name, value in plan.to_dict().items() if name not in ("notices", "warnings")},
        extra=[Section(heading, findings.table.to_html()), *findings.sections()],
        provenance=Provenance(
            versions=versions(),
            seed=plan.training.seed if len({trial.seed for trial in trials}) == 1 else None,
            seconds=sum(trial.result["seconds"] for trial in trials if trial.result is not None),
            command=commands_of(job.folder),
        ),
        overwrite=True,
    )
