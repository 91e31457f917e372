"""Quality lost to mixed_bfloat16: the same weights in both precisions, and trainings of several seeds.

    python -m benchmarks.precision --structure mitochondria --tomogram T.mrc --mask M.mrc --work cells \\
        --out benchmarks/results/precision.md -- --train-z 0-9 --validation-z 10-11 --epochs 12

What stands behind ``--`` goes to the recipe. Finished trainings are kept in ``--work``; an interrupted one is resumed.
"""

from __future__ import annotations

import argparse
import csv
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks.table import show_table
from segkit.console import run_command
from segkit.data.sources import open_source
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.experiments.command_trials import run_command_trial
from segkit.experiments.comparison import run_trials, tidy_rows
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.tables import Column, Table, summary_table
from segkit.experiments.training_run import scored_slices
from segkit.volumes.files import open_volume

PRECISIONS = ("float32", "mixed_bfloat16")


def main(argv: list[str]) -> None:
    """Run the trainings that are missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("structure", "tomogram", "mask"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("recipe", nargs="*", metavar="-- ...", help="arguments of the recipe")
    args = parser.parse_args(argv)

    def run(precision: str, seed: int) -> dict[str, Any]:
        words = ["--structure", args.structure, "--tomogram", args.tomogram, "--mask", args.mask]
        words += ["--precision", precision, "--seed", str(seed), "--preset", "demo", *args.recipe]
        folder = args.work / f"{precision}-{seed}"
        run_command_trial("recipes.segET", words, folder, resume_with_words=True)
        with open(folder / "log.csv", newline="") as log:
            return {"val_mean_iou": max(float(row["val_mean_iou"]) for row in csv.DictReader(log))}

    trials = run_trials(PRECISIONS, range(args.seeds), run)
    rows = tidy_rows(trials, lambda result: [{"score": "val_mean_iou", "value": result["val_mean_iou"]}])
    lines = trained_table(rows).to_markdown().splitlines()
    model = args.work / f"{PRECISIONS[1]}-0"
    scores = [[precision, f"{score_in(precision, model, args.tomogram):.4f}"] for precision in PRECISIONS]
    lines += [
        "",
        *Table(["same weights, predicted in", "mIoU on the scored slices"], scores).to_markdown().splitlines(),
    ]
    show_table(lines, args.out)


def trained_table(rows: list[dict[str, Any]]) -> Table:
    """Return the best validation mIoU of every training, and their mean and standard deviation."""
    columns = [
        Column(
            head="validation mIoU of the best epoch, one per seed",
            score="val_mean_iou",
            show=lambda values: ", ".join(f"{value:.4f}" for value in values),
        ),
        Column(head="mean and standard deviation", score="val_mean_iou"),
    ]
    return summary_table(rows, {"variant": "trained in"}, columns, count=None)


def score_in(precision: str, cell: pathlib.Path, tomogram: str) -> float:
    """Return the mIoU of one trained model on its scored slices, predicted in a precision."""
    mask = cell / f"mask-in-{precision}.mrc"
    command = [sys.executable, "-m", "segkit", "predict", "--model", str(cell), "--input", tomogram]
    subprocess.run([*command, "--output", str(mask), "--precision", precision, "--overwrite"], check=True)
    plan = read_plan(cell / PLAN_NAME)
    volumes = [open_source(source, ignore_value=plan.training.ignore_value) for source in plan.data]
    ((number, slices),) = scored_slices(volumes)
    scores = evaluate_volumes(open_volume(mask), volumes[number].mask, slices=slices).to_dict()["total"]
    return scores["mean_iou"]


if __name__ == "__main__":
    sys.exit(run_command(main))
