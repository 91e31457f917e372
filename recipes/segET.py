"""SegET: segment one kind of structure in electron tomograms.

Zhang, Zhang, Liu, Wan, Zhu (2019), "SegET: Deep Neural Network with Rich Contextual Features for Cellular Structures
Segmentation in Electron Tomography Image".

    python -m recipes.segET --structure centriole
    python -m recipes.segET --structure mitochondria --tomogram T.mrc --mask M.mrc --out runs/mito
    python -m recipes.segET --structure all --tomogram T.mrc --mask synapse=S.mrc --mask golgi=G.mrc

Without data it makes a phantom and trains a small version of the plan on it: about 7 minutes on 2 CPU cores. With
data the settings are the paper's: 420 to 630 s per epoch on a Tesla K40c for 76 slices of 2048 x 2048; its validation
mIoU stands with each structure below.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import logging
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.organelles.structures import (
    STRUCTURES,
    Structure,
    demo_plan,
    measured_structure,
    paper_plan,
    phantom_plan,
)
from segkit.data.sources import open_source
from segkit.errors import InputError
from segkit.experiments.arguments import add_data_arguments, labeled, masks_by_structure, overridden
from segkit.experiments.demo_phantoms import demo_phantoms, make_demo_phantoms
from segkit.experiments.draft import Draft
from segkit.experiments.names import check_name
from segkit.experiments.plan import RunPlan, read_plan
from segkit.experiments.recipe import Recipe, recipe_command, run_recipe
from segkit.experiments.resume import runs_to_resume
from segkit.experiments.tiny import tiny_plan
from segkit.progress import ProgressLine
from segkit.training.preparation import shrink_patch, tabulate

if TYPE_CHECKING:
    from segkit.experiments.job import Network

_LOG = logging.getLogger("segkit.run")
MULTIPLE_PX = 16  # four levels that halve the resolution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is segmented, and the data."""
    what = parser.add_argument_group("what")
    what.add_argument("--structure", help=f"{', '.join(STRUCTURES)}, all, or any name of your own together with --mask")
    what.add_argument("--preset", choices=("paper", "demo"), help="default: paper with data, demo without")
    what.add_argument(
        "--plan", type=pathlib.Path, metavar="FILE", help="run this plan.json; training arguments override it"
    )
    what.add_argument("--init", metavar="FILE", help="start from the weights of this model")
    add_data_arguments(parser)


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if not (args.structure or args.plan or (args.resume and args.out)):
        raise InputError("nothing to do: give --structure NAME, --plan FILE, or --resume with --out FOLDER")
    if args.structure:
        check_structure(args.structure)
    if args.plan and (args.tomogram or args.mask or args.structure):
        raise InputError(f"{args.plan}: a plan names its structure and data; edit it, or leave --plan out")


def check_structure(name: str) -> None:
    """Refuse a name that cannot be part of a file name; point at what may be a typo.

    Raises:
        InputError: If the name is not plain.
    """
    check_name(name, "structure")
    if name not in STRUCTURES and (close := difflib.get_close_matches(name, STRUCTURES, n=1, cutoff=0.65)):
        _LOG.warning("warning: %r is taken as a structure of your own; if you mean %r, give that name", name, close[0])


def draft(args: argparse.Namespace) -> list[Draft]:
    """Return the runs that arguments mean: of a plan, on tomograms with masks, or on phantoms."""
    if args.plan:
        plan = read_plan(args.plan)
        plan = dataclasses.replace(plan, training=overridden(plan.training, args))
        return [Draft(plan=plan, folder=args.out or pathlib.Path("runs", plan.structure))]
    masks, held_out = masks_by_structure(args.mask, args), masks_by_structure(args.validation_mask, args)
    if not args.tomogram:
        return on_phantoms(args, masks)
    if not masks:
        raise InputError("a tomogram without a mask: give --mask FILE (painted by hand or by another program)")
    for name in masks:
        check_structure(name)
    return [on_tomograms(args, name, files, held_out.get(name, [])) for name, files in masks.items()]


def folder_of(args: argparse.Namespace, name: str) -> pathlib.Path:
    """Return the run folder of a structure."""
    root = args.out or pathlib.Path("runs", args.structure)
    return root / name if args.structure == "all" else root


def on_tomograms(args: argparse.Namespace, name: str, masks: Sequence[str], held_out: Sequence[str]) -> Draft:
    """Return the run of one structure; what the paper does not say of it follows from its mask."""
    preset, is_known = args.preset or "paper", name in STRUCTURES
    to_plan = demo_plan if preset == "demo" else paper_plan
    training = to_plan(STRUCTURES[name] if is_known else Structure(name=name, epochs=1))
    plan = RunPlan(
        recipe="segET",
        structure=name,
        preset=preset if is_known else f"{preset}, measured",
        data=tuple(labeled(args, name, masks, held_out)),
        training=overridden(dataclasses.replace(training, ignore_value=args.ignore_value), args),
        init=args.init,
    )
    measure = None if is_known else functools.partial(measured, args=args)
    return Draft(plan=plan, folder=folder_of(args, name), measure=measure)


def measured(plan: RunPlan, *, args: argparse.Namespace) -> RunPlan:
    """Return a plan of a structure that the paper does not have, its settings measured on the training patches."""
    to_plan, ignore_value = demo_plan if args.preset == "demo" else paper_plan, args.ignore_value
    progress = ProgressLine("measuring the mask")
    volumes = [open_source(source, ignore_value=ignore_value, progress=progress) for source in plan.data]
    cut = dataclasses.replace(to_plan(Structure(name=plan.structure, epochs=1)), ignore_value=ignore_value)
    table = tabulate(volumes, "train", shrink_patch(cut, volumes, MULTIPLE_PX))
    if not table.positive.any():
        raise InputError(
            f"{plan.structure}: no foreground on the training slices; choose slices where the mask has foreground"
        )
    ratio, share = table.background_to_foreground(), float(table.positive.mean())
    training = to_plan(measured_structure(plan.structure, ratio, share))
    notice = (
        f"Not one of the paper's structures: weights and copies follow from a mean B/F of {ratio:.1f} and "
        f"{100 * share:.0f} % of patches with foreground."
    )
    training = overridden(dataclasses.replace(training, ignore_value=ignore_value), args)
    return dataclasses.replace(plan, training=training, notices=(*plan.notices, notice))


def on_phantoms(args: argparse.Namespace, masks: dict[str, list[str]]) -> list[Draft]:
    """Return runs on phantoms, which are made when nothing is left to refuse."""
    names = list(STRUCTURES) if args.structure == "all" else [args.structure]
    if masks:
        raise InputError("a mask without a tomogram: give --tomogram FILE")
    if unknown := [name for name in names if name not in STRUCTURES]:
        raise InputError(
            f"unknown structure {unknown[0]!r}; choose one of {', '.join(STRUCTURES)}, or for one of your own give "
            "--tomogram and --mask"
        )
    place, seed = (args.out or pathlib.Path("runs", args.structure)) / "phantoms", args.seed or 0
    sources, notice = demo_phantoms(place, names, seed)
    make_data = functools.partial(make_demo_phantoms, place, seed)
    to_plan = paper_plan if args.preset == "paper" else phantom_plan
    drafts = []
    for name in names:
        plan = RunPlan(
            recipe="segET",
            structure=name,
            preset=args.preset or "demo",
            data=sources[name],
            training=overridden(to_plan(STRUCTURES[name]), args),
            init=args.init,
            notices=(notice,),
        )
        drafts.append(Draft(plan=plan, folder=folder_of(args, name), make_data=make_data))
    return drafts


def resumed(args: argparse.Namespace) -> list[Draft]:
    """Return the run in the folder, or of several those that are not finished."""
    root = args.out or pathlib.Path("runs", args.structure)
    return [Draft(plan=plan, folder=folder) for plan, folder in runs_to_resume(args, root)]


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    return tiny_plan(plan, model={"filters": [2, 4], "dilation_rates": [1, 2]}, positive_copies=0)


def network(plan: RunPlan) -> Network:
    """Return SegET's builder with what follows from the plan's architecture."""
    from segkit.experiments.job import Network
    from segkit.models.seget import seget, seget_halo_px

    unknown = set(plan.model) - {"filters", "dilation_rates"}
    if unknown:
        raise InputError(f"plan: unknown setting {min(unknown)!r} under 'model'; give filters and dilation_rates")
    levels = len(plan.model.get("filters", (16, 32, 64, 128)))
    rates = plan.model.get("dilation_rates", (1, 2, 4, 8))
    return Network(seget, 2**levels, seget_halo_px(levels, rates))


RECIPE = Recipe(
    name="segET",
    description="Train SegET, segment the volume, score, export, report.",
    add_arguments=add_arguments,
    check_arguments=check_arguments,
    draft=draft,
    resumed=resumed,
    network=network,
    tiny=tiny,
)


def main(argv: Sequence[str]) -> None:
    """Run a command line."""
    run_recipe(RECIPE, argv)


if __name__ == "__main__":
    sys.exit(recipe_command(RECIPE))
