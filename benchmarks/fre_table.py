"""The table of a comparison of methods, beside the paper's, from the files that its trainings have written.

    python -m benchmarks.fre_table runs/compared/cells --paper drosophila --out benchmarks/results/fre_sstem_vnc.md

Takes the ``cell.json`` below a folder of ``recipes.fre --compare``, or such files copied to ``METHOD-SEED.json``.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

from benchmarks.table import show_table
from segkit.experiments.class_comparison import class_rows, class_summary, class_table
from segkit.experiments.comparison import Trial
from segkit.experiments.enhancement_methods import METHODS
from segkit.experiments.old_plans import upgraded

# mIoU in per cent: Tables 1 and 2 of Ando & Hotta (2021).
PAPER = {
    "mouse": {"plain": 59.50, "shallow": 60.36, "supervision": 59.19, "dropout": 59.01, "fre": 61.62},
    "drosophila": {"plain": 73.98, "shallow": 74.70, "supervision": 75.15, "dropout": 74.83, "fre": 76.95},
}


def read_cells(folder: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """Return the cells of each method in the order of their seeds."""
    files = {path.parent.name: path for path in folder.glob("*/cell.json")}
    files |= {path.stem: path for path in folder.glob("*-*.json")}
    found: dict[str, list[dict[str, Any]]] = {}
    for method in METHODS:
        mine = sorted(name for name in files if name.rpartition("-")[0] == method)
        if mine:
            found[method] = [json.loads(files[name].read_text()) for name in mine]
    return found


def main() -> None:
    """Show the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", type=pathlib.Path)
    parser.add_argument("--paper", choices=tuple(PAPER), required=True)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    cells = read_cells(args.cells)
    any_cell = next(iter(cells.values()))[0]
    classes = upgraded(any_cell["plan"])["task"]["class_names"]
    paper = PAPER[args.paper]
    trials = [Trial(method, cell["plan"]["training"]["seed"], cell) for method, mine in cells.items() for cell in mine]
    rows = class_rows(trials)
    titles = {name: method.title for name, method in METHODS.items()}
    lines = [
        *class_table(rows, classes, titles).to_markdown().splitlines(),
        "",
        "mIoU less that of the plain network, in points:",
        "",
    ]
    lines += ["| method | re-estimated | running | the paper |", "|---|---|---|---|"]
    means = {(row["method"], row["statistics"]): row["mean_iou"][0] for row in class_summary(rows, classes)}
    for method in cells:
        gains = [
            100 * (means[method, statistics] - means["plain", statistics]) for statistics in ("reestimated", "running")
        ]
        published = f"{paper[method] - paper['plain']:+.2f}" if method in paper else "-"
        lines.append(f"| {METHODS[method].title} | {gains[0]:+.2f} | {gains[1]:+.2f} | {published} |")
    lines += ["", "Mean magnitude of the features, first and last epoch (first seed):", ""]
    lines += ["| method | end of the encoder | skip | enhanced maps | maps not enhanced |", "|---|---|---|---|---|"]
    for method, mine in cells.items():
        first, last = mine[0]["magnitudes"][0], mine[0]["magnitudes"][-1]
        shown = [
            f"{first[name]:.3f} -> {last[name]:.3f}" if name in last else "-"
            for name in ("bottleneck", "skip", "enhanced", "not_enhanced")
        ]
        lines.append(f"| {METHODS[method].title} | {' | '.join(shown)} |")
    lines += ["", "| method | seeds | epochs (best, each seed) | minutes a training |", "|---|---|---|---|"]
    for method, mine in cells.items():
        best = ", ".join(str(cell["best_epoch"]) for cell in mine)
        minutes = sum(cell["seconds"] for cell in mine) / len(mine) / 60
        lines.append(f"| {METHODS[method].title} | {len(mine)} | {mine[0]['epochs']} ({best}) | {minutes:.0f} |")
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
