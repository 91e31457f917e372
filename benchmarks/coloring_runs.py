"""What pseudocolouring brings against the grey triple and neighbours as channels, over seeds.

    python -m benchmarks.coloring_runs --name plantseg --runs runs/coloring --cells benchmarks/results/cells/coloring \
        --out benchmarks/results/coloring.md -- --images 1135_mini.h5:raw --labels 1135_mini.h5:label --preset small

Everything behind ``--`` is for ``recipes.efficientcellseg``. A finished run leaves a small file among the cells and is
not done again; one that was cut off goes on. The table is of all cells there are.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

import numpy as np

from benchmarks.table import show_table
from recipes import efficientcellseg
from segkit.console import run_command
from segkit.preprocessing.colorings import COLORINGS

_SCORES = ("seg", "ap_50", "mean_iou")


def main(argv: list[str]) -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="of the data, in the table")
    parser.add_argument("--runs", type=pathlib.Path, required=True, help="folder of the runs")
    parser.add_argument("--cells", type=pathlib.Path, required=True, help="folder of what is kept of each")
    parser.add_argument("--colorings", nargs="+", default=list(COLORINGS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    end = argv.index("--") if "--" in argv else len(argv)
    args = parser.parse_args(argv[:end])
    for seed in range(args.seeds):
        for coloring in args.colorings:
            cell = args.cells / f"{args.name}-{coloring}-{seed}.json"
            if cell.exists():
                continue
            folder = args.runs / cell.stem
            is_begun = (folder / "plan.json").exists()
            words = ["--resume"] if is_begun else [*argv[end + 1 :], "--coloring", coloring, "--seed", str(seed)]
            efficientcellseg.main([*words, "--out", str(folder), "--saved-models", str(folder / "saved_models")])
            scores = json.loads((folder / "scores.json").read_text())
            kept = {
                "data": args.name,
                "coloring": coloring,
                "seed": seed,
                "epochs": scores["epochs"],
                "training_seconds": scores["training_seconds"],
                "total": scores["total"],
                "otsu": scores["otsu"],
            }
            args.cells.mkdir(parents=True, exist_ok=True)
            cell.write_text(json.dumps(kept) + "\n")
    show_table(table(args.cells), args.out)


def table(folder: pathlib.Path) -> list[str]:
    """Return the lines of the table: mean and standard deviation over the seeds."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    lines = ["| data | slices | seeds | SEG | AP at IoU 0.5 | mean IoU |", "|---|---|---|---|---|---|"]
    for data in dict.fromkeys(cell["data"] for cell in cells):
        of_data = [cell for cell in cells if cell["data"] == data]
        for coloring in COLORINGS:
            totals = [cell["total"] for cell in of_data if cell["coloring"] == coloring]
            if totals:
                shown = " | ".join(_spread([total[name] for total in totals]) for name in _SCORES)
                lines.append(f"| {data} | {coloring} | {len(totals)} | {shown} |")
        by_seed = {cell["seed"]: cell["otsu"] for cell in of_data}.values()  # simulated stacks differ with the seed
        shown = " | ".join(_spread([otsu[name] for otsu in by_seed]) for name in _SCORES)
        lines.append(f"| {data} | Otsu's threshold | {len(by_seed)} | {shown} |")
    return lines


def _spread(values: list[float]) -> str:
    mean = f"{np.mean(values):.4f}"
    return mean if len(values) < 2 else f"{mean} \N{PLUS-MINUS SIGN} {np.std(values, ddof=1):.4f}"


if __name__ == "__main__":
    sys.exit(run_command(main))
