"""Feature random enhancement: several classes from few images, with the deep layers of a U-Net properly trained.

Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module".

    python -m recipes.fre --images I.tif --labels L.tif --method fre --num-enhanced 162 --gain 632
    python -m recipes.fre --images I.tif --labels L.tif --search 50
    python -m recipes.fre --images I.tif --labels L.tif --compare --seeds 3

Images are a stack (TIFF, MRC, HDF5) or a folder of them, grey and of one size; labels are a stack of the same shape
with the classes 0, 1, 2, ... The first 70 % of the images are trained on, the next 10 % choose the checkpoint, and the
rest is scored; neighbours in a stack look alike, so they are not mixed. A small network for CPUs is the default: about
20 minutes on 2 CPU cores, and a mIoU of 0.87 on 15 HeLa cells (three classes), 0.74 on sections of fly nerve cord (four
classes; benchmarks/results). ``--preset paper`` is the paper's: 13.5 million parameters, 2000 epochs.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.enhancement.arguments import add_arguments, check_arguments
from recipes.enhancement.comparison import COMPARISON, SEARCH, measure
from recipes.enhancement.presets import PAPER_FILTERS, SMALL_FILTERS, training_plan
from recipes.enhancement.protocols import PROTOCOLS, check_shape
from recipes.enhancement.settings import ModelSettings
from segkit.errors import InputError
from segkit.experiments.arguments import normalization, overridden
from segkit.experiments.draft import Draft
from segkit.experiments.enhancement_methods import task_of
from segkit.experiments.folder import SEARCH_NAME
from segkit.experiments.image_arguments import class_names, images_name, images_shape, images_source
from segkit.experiments.plan import RunPlan
from segkit.experiments.recipe import Recipe, recipe_command, run_recipe
from segkit.experiments.resume import run_to_resume
from segkit.experiments.settings import TINY
from segkit.experiments.tiny import tiny_plan

if TYPE_CHECKING:
    from segkit.experiments.job import Network


def folder_of(args: argparse.Namespace) -> pathlib.Path:
    """Return the run folder."""
    return args.out or pathlib.Path("runs", images_name(args))


def draft(args: argparse.Namespace) -> list[Draft]:
    """Return the run that arguments mean."""
    protocol = PROTOCOLS[args.protocol]
    shape = images_shape(args)
    check_shape(args.images, shape, protocol)
    source = images_source(args, shape[0])
    model = {
        "method": args.method or "fre",
        "filters": list(PAPER_FILTERS if args.preset == "paper" else SMALL_FILTERS),
        "num_enhanced": args.num_enhanced or protocol.num_enhanced,
        "gain": args.gain or protocol.gain,
        "supervision": args.supervision or protocol.supervision,
        "normalization": args.normalization,
    }

    def measured(plan: RunPlan) -> RunPlan:
        """How long it trains depends on the number of training images, which differs between folds."""
        training = training_plan(args.preset, plan.data[0], shape, args.ignore_value)
        return dataclasses.replace(plan, training=overridden(training, args))

    plan = RunPlan(
        recipe="fre",
        structure=images_name(args),
        preset=args.preset if protocol.name == "own" else f"{args.preset}, protocol {protocol.name}",
        data=(source,),
        task=task_of(class_names(args, protocol.classes), model),
        preprocessing=normalization(args),
        model=model,
        training=overridden(training_plan(args.preset, source, shape, args.ignore_value), args),
    )
    return [Draft(plan=plan, folder=folder_of(args), measure=measured)]


def resumed(args: argparse.Namespace) -> list[Draft]:
    """Return the run in the folder; where data are given again, what they mean now must be what it is.

    Raises:
        InputError: If there is no run, or the data mean another one.
    """
    folder = folder_of(args)
    known = run_to_resume("fre", folder, args)
    if not args.images:
        return [Draft(plan=known, folder=folder)]
    (asked,) = draft(args)
    plan = tiny(asked.plan) if TINY else asked.plan
    if (folder / SEARCH_NAME).exists():  # what it has found so far is not what it began with
        known = dataclasses.replace(known, model=plan.model, task=plan.task)
    if any(getattr(known, name) != getattr(plan, name) for name in ("data", "preprocessing", "model", "task")):
        raise InputError(f"{folder}: holds a run with other data or settings; choose another --out")
    return [Draft(plan=dataclasses.replace(plan, notices=known.notices, warnings=known.warnings), folder=folder)]


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    return tiny_plan(plan, model={"filters": [4, 16], "num_enhanced": 3})


def network(plan: RunPlan) -> Network:
    """Return the network of a plan."""
    from recipes.enhancement import network as networks

    return networks.network(plan)


RECIPE = Recipe(
    name="fre",
    description="Train a U-Net with feature random enhancement, score, export, report.",
    add_arguments=add_arguments,
    check_arguments=check_arguments,
    draft=draft,
    resumed=resumed,
    network=network,
    tiny=tiny,
    model_settings=ModelSettings,
    comparison=COMPARISON,
    search=SEARCH,
    measure=measure,
)


def main(argv: Sequence[str]) -> None:
    """Run a command line."""
    run_recipe(RECIPE, argv)


if __name__ == "__main__":
    sys.exit(recipe_command(RECIPE))
