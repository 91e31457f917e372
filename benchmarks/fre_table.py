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
from segkit.experiments.tables import Table
from segkit.experiments.tile_scores import STATISTICS

# mIoU in per cent: Tables 1 and 2 of Ando & Hotta (2021).
PAPER = {
    "mouse": {"plain": 59.50, "shallow": 60.36, "supervision": 59.19, "dropout": 59.01, "fre": 61.62},
    "drosophila": {"plain": 73.98, "shallow": 74.70, "supervision": 75.15, "dropout": 74.83, "fre": 76.95},
}

MAGNITUDES = {
    "bottleneck": "end of the encoder",
    "skip": "skip",
    "enhanced": "enhanced maps",
    "not_enhanced": "maps not enhanced",
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
    show_table(page(read_cells(args.cells), PAPER[args.paper]).splitlines(), args.out)


def page(cells: dict[str, list[dict[str, Any]]], paper: dict[str, float]) -> str:
    """Return all tables of a comparison.

    Args:
        cells: Cells of every method.
        paper: mIoU of the paper's methods in per cent.
    """
    any_cell = next(iter(cells.values()))[0]
    classes = upgraded(any_cell["plan"])["task"]["class_names"]
    trials = [Trial(method, cell["plan"]["training"]["seed"], cell) for method, mine in cells.items() for cell in mine]
    rows = class_rows(trials)
    parts = [
        class_table(rows, classes, {name: method.title for name, method in METHODS.items()}).to_markdown(),
        "mIoU less that of the plain network, in points:",
        gain_table(class_summary(rows, classes), paper).to_markdown(),
        "Mean magnitude of the features, first and last epoch (first seed):",
        magnitude_table(cells).to_markdown(),
        training_table(cells).to_markdown(),
    ]
    return "\n\n".join(parts)


def gain_table(summary: list[dict[str, Any]], paper: dict[str, float]) -> Table:
    """Return the gain of every method over the plain network, with every kind of statistics, and the paper's."""
    means = {(row["method"], row["statistics"]): row["mean_iou"][0] for row in summary}
    kinds = [kind for kind in STATISTICS if ("plain", kind) in means]
    rows = []
    for method in dict.fromkeys(row["method"] for row in summary):
        gains = [100 * (means[method, kind] - means["plain", kind]) for kind in kinds]
        published = f"{paper[method] - paper['plain']:+.2f}" if method in paper else "-"
        rows.append([METHODS[method].title, *(f"{gain:+.2f}" for gain in gains), published])
    return Table(["method", *(STATISTICS[kind] for kind in kinds), "the paper"], rows)


def magnitude_table(cells: dict[str, list[dict[str, Any]]]) -> Table:
    """Return the magnitudes of the features that the first training of every method began and ended with."""
    rows = []
    for method, mine in cells.items():
        first, last = mine[0]["magnitudes"][0], mine[0]["magnitudes"][-1]
        shown = (f"{first[name]:.3f} -> {last[name]:.3f}" if name in last else "-" for name in MAGNITUDES)
        rows.append([METHODS[method].title, *shown])
    return Table(["method", *MAGNITUDES.values()], rows)


def training_table(cells: dict[str, list[dict[str, Any]]]) -> Table:
    """Return how long every method was trained."""
    rows = []
    for method, mine in cells.items():
        best = ", ".join(str(cell["best_epoch"]) for cell in mine)
        minutes = sum(cell["seconds"] for cell in mine) / len(mine) / 60
        rows.append([METHODS[method].title, str(len(mine)), f"{mine[0]['epochs']} ({best})", f"{minutes:.0f}"])
    return Table(["method", "seeds", "epochs (best, each seed)", "minutes a training"], rows)


if __name__ == "__main__":
    main()
