"""One table of the scores of finished runs.

python -m benchmarks.run_scores runs/membrane runs/mitochondria --out benchmarks/results/real_data.md
"""

from __future__ import annotations

import argparse
import json
import pathlib

from benchmarks.table import show_table
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.resume import SCORES_NAME
from segkit.experiments.tables import Table

SCORES = ("foreground_iou", "mean_iou", "dice", "precision", "recall")


def main() -> None:
    """Read every run and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=pathlib.Path, nargs="+")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    head = ["structure", "seed", "precision", "epochs (best)", "training [min]", *SCORES]
    table = Table(head, [row(run) for run in args.runs])
    show_table(table.to_markdown().splitlines(), args.out)


def row(run: pathlib.Path) -> list[str]:
    """Return a run's line of the table."""
    plan, found = read_plan(run / PLAN_NAME), json.loads((run / SCORES_NAME).read_text())
    cells = [
        plan.structure,
        str(plan.training.seed),
        plan.training.precision,
        f"{found['epochs']} ({found['best_epoch']['epoch']})",
        f"{found['training_seconds'] / 60:.0f}",
    ]
    scores = [found["total"][name] for name in SCORES]
    return [*cells, *("-" if score is None else f"{score:.4f}" for score in scores)]


if __name__ == "__main__":
    main()
