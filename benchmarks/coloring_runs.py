"""Gain of pseudocolouring over the grey triple and neighbours as channels, over seeds.

    python -m benchmarks.coloring_runs --name plantseg --runs runs/coloring --cells benchmarks/results/cells/coloring \
        --out benchmarks/results/coloring.md -- --images 1135_mini.h5:raw --labels 1135_mini.h5:label --preset small

Everything behind ``--`` is for ``recipes.efficientcellseg``. A finished run leaves a small file among the cells and is
not done again; an interrupted one is resumed. The table is of all cells there are.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.table import show_table
from segkit.console import run_command
from segkit.experiments.command_trials import run_command_trial
from segkit.experiments.comparison import Trial, run_trials, tidy_rows
from segkit.experiments.tables import Column, Row, Table, summary_table
from segkit.preprocessing.colorings import COLORINGS

_SCORES = {"seg": "SEG", "ap_50": "AP at IoU 0.5", "mean_iou": "mean IoU"}
_OTSU = "Otsu's threshold"


def main(argv: list[str]) -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="of the data, in the table")
    parser.add_argument("--runs", type=pathlib.Path, required=True, help="folder of the runs")
    parser.add_argument("--cells", type=pathlib.Path, required=True, help="folder of what is kept of each")
    parser.add_argument("--colorings", nargs="+", default=COLORINGS.names())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("recipe", nargs="*", metavar="-- ...", help="arguments of the recipe")
    args = parser.parse_args(argv)

    def run(coloring: str, seed: int) -> dict[str, Any]:
        cell = args.cells / f"{args.name}-{coloring}-{seed}.json"
        if cell.exists():
            return json.loads(cell.read_text())
        words = [*args.recipe, "--coloring", coloring, "--seed", str(seed)]
        scores = run_command_trial("recipes.efficientcellseg", words, args.runs / cell.stem)
        kept = {name: scores[name] for name in ("epochs", "training_seconds", "total", "otsu")}
        kept = {"data": args.name, "coloring": coloring, "seed": seed, **kept}
        args.cells.mkdir(parents=True, exist_ok=True)
        cell.write_text(json.dumps(kept) + "\n")
        return kept

    run_trials(args.colorings, range(args.seeds), run)
    show_table(table(args.cells).to_markdown().splitlines(), args.out)


def table(folder: pathlib.Path) -> Table:
    """Return the table: mean and standard deviation over the seeds."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rows = [row for cell in cells for row in rows_of(cell)]
    data, order = list(dict.fromkeys(cell["data"] for cell in cells)), [*COLORINGS.names(), _OTSU]
    rows.sort(key=lambda row: (data.index(row["data"]), order.index(row["variant"])))
    # Otsu's threshold is scored with every colouring; simulated stacks differ with the seed.
    once = {(row["data"], row["variant"], row["seed"], row["score"]): row for row in rows}
    columns = [Column(head=head, score=score) for score, head in _SCORES.items()]
    return summary_table(list(once.values()), {"data": "data", "variant": "slices"}, columns)


def rows_of(cell: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a cell, and those of Otsu's threshold on the same data."""
    return [
        {"data": cell["data"], **row}
        for variant, scores in ((cell["coloring"], cell["total"]), (_OTSU, cell["otsu"]))
        for row in tidy_rows([Trial(variant, cell["seed"], scores)], _shown)
    ]


def _shown(scores: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"score": name, "value": scores[name]} for name in _SCORES]


if __name__ == "__main__":
    sys.exit(run_command(main))
