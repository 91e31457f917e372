"""A table of validation mIoU over B and X, on which searches can be compared without training.

    python -m benchmarks.fre_grid --out runs/grid --table benchmarks/results/fre_grid.json \
        --images I.tif --labels L.tif --epochs 40

Everything but ``--out`` and ``--table`` is for ``recipes.fre``. Run it again to go on: what the table holds is not
trained again. It holds the validation mIoU of every epoch, so that searches which train for a few epochs can be
compared on it too.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

from recipes import fre
from recipes.enhancement.cells import job_of, run_cell
from recipes.enhancement.network import network
from segkit.console import run_command
from segkit.errors import InputError
from segkit.experiments.job import Job, set_up
from segkit.experiments.training_cells import cell_plan
from segkit.volumes.whole_output import whole_file

NUM_ENHANCED = (2, 8, 32, 96, 162, 384)
GAINS = (2.0, 8.0, 32.0, 100.0, 250.0, 632.0)


def main(argv: list[str]) -> None:
    """Train what is missing and write the table after every cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the cells")
    parser.add_argument("--table", type=pathlib.Path, required=True, help="JSON file")
    own, rest = parser.parse_known_args(argv)
    plan, _ = fre.resolve(fre.parse_args([*rest, "--out", str(own.out)]))
    job = set_up(plan, own.out, network(plan))
    table = {"num_enhanced": NUM_ENHANCED, "gains": GAINS, "plan": cell_plan(plan), "cells": []}
    found = known_cells(own.table, table)
    # Far corners first, so that an unfinished table tells something already.
    points = sorted(
        ((b, x) for b in range(len(NUM_ENHANCED)) for x in range(len(GAINS))), key=lambda p: (p[0] + p[1]) % 2
    )
    for b, x in points:
        table["cells"].append(found[b, x] if (b, x) in found else train_cell(job, own.out, b, x))
        if len(table["cells"]) >= len(found):  # never fewer than there were
            with whole_file(own.table, overwrite=True) as unfinished:
                unfinished.write_text(json.dumps(table) + "\n")


def known_cells(path: pathlib.Path, table: dict[str, Any]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the cells of a table by their places; none where there is no table.

    Raises:
        InputError: If they were trained on something else or otherwise.
    """
    if not path.exists():
        return {}
    known = json.loads(path.read_text())
    head = json.loads(json.dumps({name: value for name, value in table.items() if name != "cells"}))
    if different := [name for name, value in head.items() if known.get(name) != value]:
        raise InputError(f"{path}: a table with another {different[0]}; choose another --table")
    return {tuple(cell["place"]): cell for cell in known["cells"]}


def train_cell(job: Job, folder: pathlib.Path, b: int, x: int) -> dict[str, Any]:
    """Return a cell of the table."""
    values = {"num_enhanced": NUM_ENHANCED[b], "gain": GAINS[x]}
    cell = run_cell(job_of(job, folder / f"b{values['num_enhanced']}-x{values['gain']:g}", **values))
    return {
        "place": [b, x],
        **values,
        "val_mean_iou": [row["val_mean_iou"] for row in cell["history"]],
        "val_mean_iou_running": cell["tiles"]["validation"]["running"]["mean_iou"],
        "test_mean_iou": cell["tiles"].get("test", {}).get("reestimated", {}).get("mean_iou"),
        "magnitudes": [[row["bottleneck"], row["skip"]] for row in cell["magnitudes"]],
        "seconds": cell["seconds"],
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
