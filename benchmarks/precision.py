"""Quality lost to mixed_bfloat16: trainings of several seeds in both precisions, and one network predicting in both.

    python -m recipes.segET --structure mitochondria --tomogram T.mrc --mask M.mrc --preset demo --train-z 0-9 \\
        --validation-z 10-11 --test-z 12-15 --no-export --plan-only --out plans/mitochondria
    python -m benchmarks.precision plans/mitochondria plans/membrane --work runs/precision \\
        --cells benchmarks/results/cells/precision --seeds 5 --out benchmarks/results/precision.md

Each plan is trained in both precisions with every seed; networks are scored in the precision that they were trained
in, on the test slices of the plan. What is finished leaves a small file among the cells and is not done again; an
interrupted training is resumed.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.table import show_table
from segkit.console import run_command
from segkit.data.sources import open_source
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.experiments.command_trials import run_command_trial
from segkit.experiments.comparison import run_trials
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.tables import Table, mean_and_deviation, spread_text
from segkit.experiments.training_run import scored_slices
from segkit.volumes.files import open_volume

PRECISIONS = ("float32", "mixed_bfloat16")
_SCORES = {
    "val_mean_iou": "validation mIoU of the best epoch",
    "mean_iou": "test mIoU",
    "foreground_iou": "test foreground IoU",
}


def main(argv: list[str]) -> None:
    """Run the trainings that are missing and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plans", nargs="+", type=pathlib.Path, metavar="FOLDER", help="folder with a plan.json")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the runs")
    parser.add_argument("--cells", type=pathlib.Path, required=True, help="folder of what is kept of each")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args(argv)

    cells: list[Mapping[str, Any]] = []
    for plan in args.plans:

        def run(precision: str, seed: int, plan: pathlib.Path = plan) -> dict[str, Any]:
            return trained(plan, precision, seed, args.work, args.cells)

        trials = run_trials(PRECISIONS, range(args.seeds), run)
        cells += [trial.result for trial in trials]
    lines = [*trained_table(cells).to_markdown().splitlines(), "", *differences_table(cells).to_markdown().splitlines()]
    rows = [
        [plan.name, precision, f"{predicted(plan.name, precision, args.work, args.cells):.4f}"]
        for plan in args.plans
        for precision in PRECISIONS
    ]
    head = ["structure", "the float32 network of seed 0, predicted in", "test mIoU"]
    show_table([*lines, "", *Table(head, rows).to_markdown().splitlines()], args.out)


def trained(plan: pathlib.Path, precision: str, seed: int, work: pathlib.Path, cells: pathlib.Path) -> dict[str, Any]:
    """Return the scores of one training, at once where an earlier call has kept them."""
    cell = cells / f"{plan.name}-{precision}-{seed}.json"
    if cell.exists():
        return json.loads(cell.read_text())
    folder = work / plan.name / f"{precision}-{seed}"
    words = ["--plan", str(plan / PLAN_NAME), "--precision", precision, "--seed", str(seed), "--no-export"]
    scores = run_command_trial("recipes.segET", words, folder)
    with open(folder / "log.csv", newline="") as log:
        best = max(float(row["val_mean_iou"]) for row in csv.DictReader(log))
    kept = {
        "structure": plan.name,
        "precision": precision,
        "seed": seed,
        "epochs": scores["epochs"],
        "training_seconds": scores["training_seconds"],
        "val_mean_iou": best,
        **{name: scores["total"][name] for name in ("mean_iou", "foreground_iou")},
    }
    cells.mkdir(parents=True, exist_ok=True)
    cell.write_text(json.dumps(kept) + "\n")
    return kept


def trained_table(cells: Sequence[Mapping[str, Any]]) -> Table:
    """Return mean and standard deviation over the seeds, and the test mIoU of each."""
    rows = []
    for structure, precision in dict.fromkeys((cell["structure"], cell["precision"]) for cell in cells):
        found = [cell for cell in cells if (cell["structure"], cell["precision"]) == (structure, precision)]
        each = ", ".join(f"{cell['mean_iou']:.4f}" for cell in found)
        rows.append([structure, precision, *(spread_text([cell[s] for cell in found]) for s in _SCORES), each])
    return Table(["structure", "trained in", *_SCORES.values(), "test mIoU of every seed"], rows)


def differences_table(cells: Sequence[Mapping[str, Any]]) -> Table:
    """Return bfloat16 less float32 of the same seed: mean, standard deviation, and standard error of the mean."""
    by = {(cell["structure"], cell["precision"], cell["seed"]): cell for cell in cells}
    rows = []
    for structure in dict.fromkeys(cell["structure"] for cell in cells):
        seeds = sorted({seed for name, _, seed in by if name == structure})
        line = [structure]
        for score in _SCORES:
            values = [
                by[structure, "mixed_bfloat16", seed][score] - by[structure, "float32", seed][score] for seed in seeds
            ]
            mean, deviation = mean_and_deviation(values)
            shown = f"{mean:+.4f}"
            if deviation is not None:
                shown += f" \N{PLUS-MINUS SIGN} {deviation:.4f}, error {deviation / len(values) ** 0.5:.4f}"
            line.append(shown)
        rows.append(line)
    return Table(["mixed_bfloat16 less float32", *_SCORES.values()], rows)


def predicted(structure: str, precision: str, work: pathlib.Path, cells: pathlib.Path) -> float:
    """Return the score of ``predicted_in`` for seed 0, at once where an earlier call has kept it."""
    cell = cells / f"{structure}-predicted-{precision}.json"
    if cell.exists():
        return json.loads(cell.read_text())["mean_iou"]
    score = predicted_in(precision, work / structure / f"{PRECISIONS[0]}-0")
    cell.write_text(json.dumps({"structure": structure, "predicted_in": precision, "mean_iou": score}) + "\n")
    return score


def predicted_in(precision: str, run: pathlib.Path) -> float:
    """Return the mIoU of a trained network on the scored slices, predicted in a precision."""
    plan = read_plan(run / PLAN_NAME)
    volumes = [open_source(source, ignore_value=plan.training.ignore_value) for source in plan.data]
    ((number, slices),) = scored_slices(volumes)
    mask = run / f"mask-in-{precision}.mrc"
    command = [sys.executable, "-m", "segkit", "predict", "--model", str(run), "--output", str(mask)]
    command += ["--input", plan.data[number].tomogram, "--precision", precision, "--overwrite"]
    subprocess.run(command, check=True)
    return evaluate_volumes(open_volume(mask), volumes[number].mask, slices=slices).to_dict()["total"]["mean_iou"]


if __name__ == "__main__":
    sys.exit(run_command(main))
