"""What mixed_bfloat16 costs in quality: the same weights in both precisions, and trainings of several seeds.

    python -m benchmarks.precision --structure mitochondria --tomogram T.mrc --mask M.mrc --work cells \\
        --out benchmarks/results/precision.md -- --train-z 0-9 --validation-z 10-11 --epochs 12

What stands behind ``--`` goes to the recipe. A cell is one training; finished ones are kept in ``--work``, and one that
was cut off goes on.
"""

from __future__ import annotations

import argparse
import csv
import pathlib
import statistics
import subprocess
import sys

from benchmarks.table import show_table
from segkit.data.sources import open_source
from segkit.evaluation.evaluate_volumes import evaluate_volumes
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.training_run import scored_slices
from segkit.volumes.files import open_volume

PRECISIONS = ("float32", "mixed_bfloat16")


def main() -> None:
    """Train the cells that are missing and write the table."""
    argv, _, recipe_arguments = partition(sys.argv[1:], "--")
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("structure", "tomogram", "mask"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args(argv)
    best = {
        precision: [train(args, precision, seed, recipe_arguments) for seed in range(args.seeds)]
        for precision in PRECISIONS
    }
    lines = ["| trained in | validation mIoU of the best epoch, a seed each | mean | spread |", "|---|---|---|---|"]
    for precision, scores in best.items():
        shown = ", ".join(f"{score:.4f}" for score in scores)
        lines.append(f"| {precision} | {shown} | {statistics.mean(scores):.4f} | {statistics.pstdev(scores):.4f} |")
    lines += ["", "| same weights, predicted in | mIoU on the scored slices |", "|---|---|"]
    cell = args.work / f"{PRECISIONS[1]}-0"
    lines += [f"| {precision} | {score_in(precision, cell, args.tomogram):.4f} |" for precision in PRECISIONS]
    show_table(lines, args.out)


def train(args: argparse.Namespace, precision: str, seed: int, recipe_arguments: list[str]) -> float:
    """Return the best validation mIoU of a cell, trained if it is not there yet."""
    cell = args.work / f"{precision}-{seed}"
    if not (cell / "scores.json").exists():
        command = [sys.executable, "-m", "recipes.segET", "--structure", args.structure, "--preset", "demo"]
        command += ["--tomogram", args.tomogram, "--mask", args.mask, "--precision", precision, "--seed", str(seed)]
        command += ["--out", str(cell), "--saved-models", str(args.work / "saved_models"), *recipe_arguments]
        command += ["--resume"] if (cell / PLAN_NAME).exists() else []
        subprocess.run(command, check=True)
    with open(cell / "log.csv", newline="") as log:
        return max(float(row["val_mean_iou"]) for row in csv.DictReader(log))


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


def partition(words: list[str], mark: str) -> tuple[list[str], str, list[str]]:
    """Split a list at a word, as ``str.partition`` splits a text."""
    place = words.index(mark) if mark in words else len(words)
    return words[:place], mark, words[place + 1 :]


if __name__ == "__main__":
    main()
