"""Searches compared on a table of trainings: what they find, for how many epochs of training.

    python -m benchmarks.search_on_table benchmarks/results/fre_grid.json --out benchmarks/results/search.md

The table is that of ``benchmarks.fre_grid``; nothing is trained. Each search is run with 30 seeds. Optuna's TPE, where
it is installed, stands beside ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
import numpy as np
from scipy.stats import spearmanr

from benchmarks.table import show_table
from benchmarks.tpe_oracle import TPEOracle
from segkit.search.oracles import DistinctBayesianOracle, DistinctRandomOracle, HalvingOracle
from segkit.search.tuner import search

SEEDS = 30
TRIALS = 18  # half of the table of 36
_OBJECTIVE = keras_tuner.Objective("val_mean_iou", "max")


class Table:
    """Trainings by their place in the grid.

    Args:
        path: File of ``benchmarks.fre_grid``.
    """

    def __init__(self, path: pathlib.Path) -> None:
        facts = json.loads(path.read_text())
        self.epochs = facts["plan"]["training"]["epochs"]
        self.shape = (len(facts["num_enhanced"]), len(facts["gains"]))
        self.cells = {tuple(cell["place"]): cell for cell in facts["cells"]}
        self.axes = (facts["num_enhanced"], facts["gains"])

    def best_after(self, place: tuple[int, int], epochs: int) -> float:
        """Return the best validation mIoU of a training up to an epoch."""
        return max(self.cells[place]["val_mean_iou"][:epochs])

    def final(self) -> np.ndarray:
        """Return the best validation mIoU of every training."""
        return np.array([self.best_after(place, self.epochs) for place in sorted(self.cells)])

    def space(self) -> keras_tuner.HyperParameters:
        """Return the places as whole numbers."""
        space = keras_tuner.HyperParameters()
        for name, size in zip("bx", self.shape, strict=True):
            space.Int(name, 0, size - 1)
        return space


def run_search(table: Table, make: Callable[..., Any], seed: int) -> tuple[list[float], list[int], float]:
    """Run a search on the table.

    Returns:
        Best score of a whole training so far, epochs spent so far, after each trial; and seconds.
    """
    spent: dict[tuple[int, int], int] = {}
    best, curve, epochs = -np.inf, [], []

    def evaluate(values: Mapping[str, Any], folder: pathlib.Path, limit: int | None) -> dict[str, float]:
        nonlocal best
        place = (values["b"], values["x"])
        spent[place] = max(spent.get(place, 0), limit or table.epochs)
        score = table.best_after(place, limit or table.epochs)
        best = max(best, score) if (limit or table.epochs) == table.epochs else best
        curve.append(best)
        epochs.append(sum(spent.values()))
        return {"val_mean_iou": score}

    folder = tempfile.mkdtemp()
    started = time.perf_counter()
    try:
        oracle = make(
            objective=_OBJECTIVE, hyperparameters=table.space(), seed=1000 * (seed + 1)
        )  # KerasTuner counts up
        search(evaluate, oracle, folder)
    finally:
        shutil.rmtree(folder)
    return curve, epochs, time.perf_counter() - started


def run_optuna(table: Table, seed: int) -> tuple[list[float], list[int], float]:
    """Run Optuna's TPE on the table, points that it repeats counted as trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seen: set[tuple[int, int]] = set()
    curve, epochs = [], []

    def objective(trial: Any) -> float:
        place = tuple(trial.suggest_int(name, 0, size - 1) for name, size in zip("bx", table.shape, strict=True))
        seen.add(place)
        score = table.best_after(place, table.epochs)
        curve.append(max([score, *curve[-1:]]))
        epochs.append(len(seen) * table.epochs)
        return score

    started = time.perf_counter()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(n_startup_trials=6, seed=seed))
    study.optimize(objective, n_trials=TRIALS)
    return curve, epochs, time.perf_counter() - started


def rungs(table: Table, least: int) -> list[int]:
    """Return the epochs after which successive halving chooses, as KerasTuner rounds them."""
    oracle = HalvingOracle(
        objective=_OBJECTIVE, hyperparameters=table.space(), min_epochs=least, max_epochs=table.epochs, seed=1
    )
    (bracket,) = oracle._brackets
    return [oracle._get_epochs(bracket["bracket_num"], number) for number in range(len(bracket["rounds"]))]


def magnitude_predictor(table: Table, epoch: int) -> tuple[float, float]:
    """Return how well the ratio of bottleneck to skip after some epochs ranks the trainings, and early mIoU does."""
    places = sorted(table.cells)
    ratios = [np.divide(*table.cells[place]["magnitudes"][epoch]) for place in places]
    early = [table.best_after(place, epoch) for place in places]
    final = table.final()
    return spearmanr(ratios, final)[0], spearmanr(early, final)[0]


def main() -> None:
    """Run all searches and show the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    table = Table(args.table)
    final = table.final()
    kinds: dict[str, Callable[..., Any]] = {
        "random": lambda **k: DistinctRandomOracle(max_trials=TRIALS, **k),
        "Gaussian process": lambda **k: DistinctBayesianOracle(max_trials=TRIALS, **k),
        "TPE": lambda **k: TPEOracle(max_trials=TRIALS, **k),
    }
    runs = {name: [run_search(table, make, seed) for seed in range(SEEDS)] for name, make in kinds.items()}
    if importlib.util.find_spec("optuna"):
        runs["TPE of Optuna"] = [run_optuna(table, seed) for seed in range(SEEDS)]
    lines = [
        f"{len(table.cells)} trainings of {table.epochs} epochs: validation mIoU {final.min():.4f} to "
        f"{final.max():.4f}, median {np.median(final):.4f}. {SEEDS} seeds. Regret: the table's best less what was "
        "found, mean.",
        "",
        "| search | regret after 6 | 9 | 12 | 18 trials | found the best | ms a suggestion |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, results in runs.items():
        curves = np.array([curve + curve[-1:] * (TRIALS - len(curve)) for curve, _, _ in results])
        regret = final.max() - curves
        share = np.mean(curves[:, -1] >= final.max() - 1e-9)
        pace = 1000 * np.mean([seconds for _, _, seconds in results]) / TRIALS
        cells = " | ".join(f"{regret[:, n - 1].mean():.4f}" for n in (6, 9, 12, 18))
        lines.append(f"| {name} | {cells} | {share:.0%} | {pace:.0f} |")
    lines += [
        "",
        "| search | epochs of training | validation mIoU found, mean | standard deviation |",
        "|---|---|---|---|",
    ]
    for name, results in runs.items():
        found = [curve[-1] for curve, _, _ in results]
        lines.append(
            f"| {name}, {TRIALS} trials | {np.mean([e[-1] for _, e, _ in results]):.0f} | {np.mean(found):.4f} | "
            f"{np.std(found, ddof=1):.4f} |"
        )
    for share in (9, 4):
        least = max(1, table.epochs // share)
        halved = [
            run_search(table, lambda least=least, **k: HalvingOracle(min_epochs=least, max_epochs=table.epochs, **k), s)
            for s in range(SEEDS)
        ]
        found = [curve[-1] for curve, _, _ in halved]
        steps = " -> ".join(map(str, rungs(table, least)))
        spent = np.mean([e[-1] for _, e, _ in halved])
        lines.append(
            f"| successive halving, {steps} epochs | {spent:.0f} | {np.mean(found):.4f} | {np.std(found, ddof=1):.4f} |"
        )
        trials = round(spent / table.epochs)  # what chance finds for as much
        found = [curve[trials - 1] for curve, _, _ in runs["random"]]
        spent = trials * table.epochs
        lines.append(f"| random, {trials} trials | {spent} | {np.mean(found):.4f} | {np.std(found, ddof=1):.4f} |")
    lines += ["", "Rank correlation (Spearman) with the final validation mIoU:", ""]
    lines += ["| after epoch | magnitude of the bottleneck / skip | validation mIoU so far |", "|---|---|---|"]
    for epoch in (2, 4, 8, 16):
        ratio, early = magnitude_predictor(table, epoch)
        lines.append(f"| {epoch} | {ratio:+.2f} | {early:+.2f} |")
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
