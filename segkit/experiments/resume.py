"""Which runs a command with --resume resumes."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence

from segkit.errors import InputError
from segkit.experiments.arguments import masks_by_structure, overridden_plan
from segkit.experiments.plan import PLAN_NAME, RunPlan, read_plan
from segkit.model_path import RUN_MODEL_NAME

SCORES_NAME = "scores.json"
"""Name of the file that a finished run leaves in its folder."""


def has_ended(folder: pathlib.Path) -> bool:
    """Return whether a run has written all of its results; the report is the last."""
    return (folder / SCORES_NAME).exists() and (folder / "report.html").exists()


def is_left(plan: RunPlan, folder: pathlib.Path, epochs: int | None) -> bool:
    """Return whether anything is left to do of one of several runs.

    Args:
        plan: Its plan; that of a run that has ended has the epochs that it was last given.
        folder: Its folder.
        epochs: Epochs that are asked for; ``None`` for those of the plan.
    """
    return not has_ended(folder) or (epochs or 0) > plan.training.epochs


def keeps_result(plan: RunPlan, folder: pathlib.Path) -> bool:
    """Return whether a run that is to be resumed has ended and lacks what it would be trained on from.

    Such a run stays as it is: training it again would replace its model.

    Args:
        plan: Its plan, with the epochs that are asked for.
        folder: Its folder.

    Raises:
        InputError: If more epochs are asked for.
    """
    if not has_ended(folder) or not (folder / RUN_MODEL_NAME).exists() or any((folder / "state").glob("epoch-*.npz")):
        return False
    if plan.training.epochs > read_plan(folder / PLAN_NAME).training.epochs:
        raise InputError(
            f"{folder}: has ended, and its folder state/, which more epochs need, is missing; leave out --epochs, "
            "start over with --overwrite, or choose another --out"
        )
    return True


def check_recipe(plan: RunPlan, recipe: str, folder: pathlib.Path) -> None:
    """Check that a run is resumed by the recipe that began it.

    Args:
        plan: Plan of the run.
        recipe: Name of the recipe that is to resume it.
        folder: What ``--out`` takes to resume it: its folder, or that of the folds of which it is one.

    Raises:
        InputError: If it is another recipe's.
    """
    if plan.recipe != recipe:
        raise InputError(
            f"{folder}: holds a run of the recipe {plan.recipe}, not of {recipe}; resume it with python -m "
            f"recipes.{plan.recipe} --out {folder} --resume, or choose another --out"
        )


def runs_to_resume(recipe: str, args: argparse.Namespace, root: pathlib.Path) -> list[tuple[RunPlan, pathlib.Path]]:
    """Return plan and folder of each run to resume, with what the command line changes in its training.

    Args:
        recipe: Name of the recipe.
        args: Its arguments. Of several runs those of which nothing is left to do are passed over.
        root: Run folder, or the folder of several.

    Raises:
        InputError: If there is no run, one is another recipe's, or the arguments name another structure or other data
            than it began with.
    """
    # The folder of several runs has no plan of its own.
    of_several = args.structure is None and not (root / PLAN_NAME).exists() and any(root.glob(f"*/{PLAN_NAME}"))
    every = args.structure == "all" or of_several
    folders = sorted(path.parent for path in root.glob(f"*/{PLAN_NAME}")) if every else [root]
    if not folders or not (every or (root / PLAN_NAME).exists()):
        raise InputError(f"{root}: no run to resume there; leave --resume out, or name its folder with --out")
    found = [(read_plan(folder / PLAN_NAME), folder) for folder in folders]
    for plan, folder in found:
        check_recipe(plan, recipe, folder)
    _refuse_others(args, found)
    return [
        (overridden_plan(plan, args), folder)
        for plan, folder in found
        if not every or is_left(plan, folder, args.epochs)
    ]


def _refuse_others(args: argparse.Namespace, found: Sequence[tuple[RunPlan, pathlib.Path]]) -> None:
    for plan, folder in found:
        if args.structure not in (None, "all", plan.structure):
            raise InputError(
                f"{folder}: holds a run of {plan.structure}, not of {args.structure}; give its own --structure, or "
                "another --out"
            )
    if args.mask and not args.structure:
        raise InputError("--mask without --structure; give both, or neither to resume the run unchanged")
    data = [source for plan, _ in found for source in plan.data]
    masks = [path for files in masks_by_structure(args.mask, args).values() for path in files]
    for given, known in ((args.tomogram, [s.tomogram for s in data]), (masks, [s.mask for s in data])):
        there = {pathlib.Path(path).resolve() for path in known}
        if other := [path for path in given if pathlib.Path(path).resolve() not in there]:
            raise InputError(f"{other[0]}: not in the run to resume; leave it out, or choose another --out")


def run_to_resume(recipe: str, folder: pathlib.Path, args: argparse.Namespace) -> RunPlan:
    """Return the plan of the run in a folder, with what the command line changes in its training.

    Raises:
        InputError: If there is none, or it is another recipe's.
    """
    if not (folder / PLAN_NAME).exists():
        raise InputError(f"{folder}: no run to resume there; leave --resume out, or name its folder with --out")
    plan = read_plan(folder / PLAN_NAME)
    check_recipe(plan, recipe, folder)
    return overridden_plan(plan, args)
