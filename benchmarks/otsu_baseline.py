"""A trained run beside Otsu's threshold with an opening, on the run's own scored slices.

    python -m benchmarks.otsu_baseline runs/centriole --out benchmarks/results/otsu_baseline.md

Otsu's threshold is taken over the whole tomogram; foreground is the darker side (stain and ice: dense is dark), opened
slice by slice with a disc, which removes what is smaller than it.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import numpy as np
from skimage.filters import threshold_otsu
from skimage.morphology import disk, opening

from benchmarks.table import show_table
from segkit.data.sources import open_source
from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
from segkit.experiments.plan import PLAN_NAME, read_plan
from segkit.experiments.tables import Table
from segkit.experiments.training_run import scored_slices

SCORES = {"foreground_iou": "foreground IoU", "dice": "Dice", "precision": "precision", "recall": "recall"}


def main() -> None:
    """Score the baseline and write both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--radius", type=int, default=2, help="of the disc [px]")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    plan = read_plan(args.run / PLAN_NAME)
    volumes = [open_source(source, ignore_value=plan.training.ignore_value) for source in plan.data]
    counted = Confusion()
    for number, slices in scored_slices(volumes):
        image, mask = (np.asarray(array[:]) for array in volumes[number].arrays)
        dark = image <= threshold_otsu(image)
        for z in slices:
            counted += count_confusion(opening(dark[z], disk(args.radius)), mask[z] != 0)
    baseline = binary_scores(counted)
    trained = json.loads((args.run / "scores.json").read_text())["total"]
    methods = {f"Otsu, opening with a disc of {args.radius} px": baseline, "SegET": trained}
    rows = [[name, *(f"{scores[key]:.4f}" for key in SCORES)] for name, scores in methods.items()]
    title = f"Foreground IoU of {plan.structure}, {args.run}. {' '.join(plan.notices)}"
    table = Table(["method", *SCORES.values()], rows)
    show_table([title, "", *table.to_markdown().splitlines()], args.out)


if __name__ == "__main__":
    main()
