"""A table of validation mIoU over B and X, on which searches can be compared without training.

    python -m benchmarks.fre_grid --out runs/grid --table benchmarks/results/fre_grid.json \
        --images I.tif --labels L.tif --epochs 40

Everything but ``--out`` and ``--table`` is for ``recipes.fre``. Run it again to resume: what the table holds is not
trained again. It holds the validation mIoU of every epoch, so that searches which train for a few epochs can be
compared on it too.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from segkit.console import run_command
from segkit.errors import InputError
from segkit.experiments.command_trials import run_command_trial
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.trials import check_trial_plan, rounded, trial_plan
from segkit.training.record_magnitudes import read_magnitudes
from segkit.volumes.whole_output import whole_file

RECIPE = "recipes.fre"
NUM_ENHANCED = (2, 8, 32, 96, 162, 384)
GAINS = (2.0, 8.0, 32.0, 100.0, 250.0, 632.0)


def main(argv: list[str]) -> None:
    """Train what is missing and write the table after every cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the cells")
    parser.add_argument("--table", type=pathlib.Path, required=True, help="JSON file")
    own, rest = parser.parse_known_args(argv)
    table = {"num_enhanced": NUM_ENHANCED, "gains": GAINS, "plan": plan_of(own.out, rest), "cells": []}
    found = known_cells(own.table, table)
    # Far corners first, so that an unfinished table tells something already.
    points = sorted(
        ((b, x) for b in range(len(NUM_ENHANCED)) for x in range(len(GAINS))), key=lambda p: (p[0] + p[1]) % 2
    )
    for b, x in points:
        table["cells"].append(found[b, x] if (b, x) in found else run_cell(own.out, rest, b, x))
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
    check_trial_plan(path, known["plan"], table["plan"])
    head = {name: list(table[name]) for name in ("num_enhanced", "gains")}
    head["epochs"] = table["plan"]["training"]["epochs"]
    found = {**known, "epochs": known["plan"]["training"]["epochs"]}
    if different := [name for name, value in head.items() if found[name] != value]:
        raise InputError(f"{path}: a table with another {different[0]}; choose another --table")
    return {tuple(cell["place"]): cell for cell in known["cells"]}


def plan_of(folder: pathlib.Path, words: Sequence[str]) -> dict[str, Any]:
    """Return what the runs have in common.

    Raises:
        InputError: If the arguments mean no plan; the recipe has said why.
    """
    place = folder / "plan"
    command = [sys.executable, "-m", RECIPE, *words, "--out", str(place), "--plan-only", "--overwrite"]
    if subprocess.run(command, check=False).returncode:
        raise InputError(f"{RECIPE} refuses the arguments, for the reason above; correct them")
    return trial_plan(read_plan(place / PLAN_NAME))


def run_cell(folder: pathlib.Path, words: Sequence[str], b: int, x: int) -> dict[str, Any]:
    """Return a cell of the table: what a run of the recipe leaves in its folder."""
    values = {"num_enhanced": NUM_ENHANCED[b], "gain": GAINS[x]}
    place = folder / f"b{values['num_enhanced']}-x{values['gain']:g}"
    given = [*words, "--num-enhanced", str(values["num_enhanced"]), "--gain", f"{values['gain']:g}"]
    scores = run_command_trial(RECIPE, given, place, resume_with_words=True)
    with open(place / "log.csv", newline="") as log:
        history = [rounded({"val_mean_iou": float(row["val_mean_iou"])}) for row in csv.DictReader(log)]
    return {
        "place": [b, x],
        **values,
        "val_mean_iou": [row["val_mean_iou"] for row in history],
        "val_mean_iou_running": scores["tiles"]["validation"]["running"]["mean_iou"],
        "test_mean_iou": scores["tiles"].get("test", {}).get("reestimated", {}).get("mean_iou"),
        "magnitudes": [[row[name] for name in ("bottleneck", "skip")] for row in map(rounded, read_magnitudes(place))],
        "seconds": scores["training_seconds"],
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
