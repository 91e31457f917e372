"""SegET: segment one kind of structure in electron tomograms.

Zhang, Zhang, Liu, Wan, Zhu (2019), "SegET: Deep Neural Network with Rich Contextual Features for Cellular Structures
Segmentation in Electron Tomography Image".

    python -m recipes.segET --structure centriole
    python -m recipes.segET --structure mitochondria --tomogram T.mrc --mask M.mrc --out runs/mito
    python -m recipes.segET --structure all --tomogram T.mrc --mask synapse=S.mrc --mask golgi=G.mrc

Without data it makes a phantom and trains a small version of the plan on it: about 7 minutes on 2 CPU cores. With
data the settings are the paper's: 420 to 630 s per epoch on a Tesla K40c for 76 slices of 2048 x 2048. The
validation mIoU of the paper is listed with each structure in ``recipes/organelles/structures.py``.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.organelles.arguments import add_arguments, check_arguments, check_structure, meant_structure
from recipes.organelles.measured import measured
from recipes.organelles.structures import STRUCTURES, Structure, demo_plan, paper_plan, phantom_plan
from segkit.errors import InputError
from segkit.experiments.arguments import labeled, masks_by_structure, normalization, overridden
from segkit.experiments.demo_phantoms import demo_phantoms, make_demo_phantoms
from segkit.experiments.draft import Draft
from segkit.experiments.folder import PHANTOMS_NAME
from segkit.experiments.model_settings import check_counts, model_settings
from segkit.experiments.plan import RunPlan
from segkit.experiments.recipe import Recipe, recipe_command, run_recipe
from segkit.experiments.resume import runs_to_resume
from segkit.experiments.tiny import tiny_plan

if TYPE_CHECKING:
    from segkit.experiments.job import Network


def draft(args: argparse.Namespace) -> list[Draft]:
    """Return the runs that arguments mean: on tomograms with masks, or on phantoms.

    Raises:
        InputError: If tomograms and masks do not fit together, or the structure is unknown.
    """
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
    # For a structure that the paper does not have, `measured` replaces this once its mask has been read.
    training = to_plan(STRUCTURES[name] if is_known else Structure(name=name, epochs=1))
    plan = RunPlan(
        recipe="segET",
        structure=name,
        preset=preset if is_known else f"{preset}, measured",
        data=tuple(labeled(args, name, masks, held_out)),
        preprocessing=normalization(args),
        training=overridden(dataclasses.replace(training, ignore_value=args.ignore_value), args),
        init=args.init,
    )
    measure = None if is_known else functools.partial(measured, args=args)
    return Draft(plan=plan, folder=folder_of(args, name), measure=measure)


def on_phantoms(args: argparse.Namespace, masks: dict[str, list[str]]) -> list[Draft]:
    """Return runs on phantoms, which are made when nothing is left to refuse.

    Raises:
        InputError: If a mask is given, or the structure is unknown.
    """
    names = list(STRUCTURES) if args.structure == "all" else [args.structure]
    if masks:
        raise InputError("a mask without a tomogram: give --tomogram FILE")
    if unknown := [name for name in names if name not in STRUCTURES]:
        if close := meant_structure(unknown[0]):
            raise InputError(
                f"unknown structure {unknown[0]!r}; did you mean {close}? for one of your own give --tomogram and "
                "--mask"
            )
        raise InputError(
            f"unknown structure {unknown[0]!r}; choose one of {', '.join(STRUCTURES)}, or for one of your own give "
            "--tomogram and --mask"
        )
    place, seed = (args.out or pathlib.Path("runs", args.structure)) / PHANTOMS_NAME, args.seed or 0
    sources, notices = demo_phantoms(place, names, seed)
    make_data = functools.partial(make_demo_phantoms, place, seed)
    to_plan = paper_plan if args.preset == "paper" else phantom_plan
    drafts = []
    for name in names:
        plan = RunPlan(
            recipe="segET",
            structure=name,
            preset=args.preset or "demo",
            data=sources[name],
            preprocessing=normalization(args),
            training=overridden(to_plan(STRUCTURES[name]), args),
            init=args.init,
            notices=notices,
        )
        drafts.append(Draft(plan=plan, folder=folder_of(args, name), make_data=make_data, split_notice=notices[-1]))
    return drafts


def resumed(args: argparse.Namespace) -> list[Draft]:
    """Return the run in the folder, or of several those that are not finished."""
    root = args.out or pathlib.Path("runs", args.structure)
    return [Draft(plan=plan, folder=folder) for plan, folder in runs_to_resume("segET", args, root)]


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    return tiny_plan(plan, model={"filters": [2, 4], "dilation_rates": [1, 2]}, positive_copies=0)


_LARGEST_DILATION = 1024  # at a sixteenth of the resolution; no slice is as large


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What a plan holds under ``model``; what is left out is the paper's.

    Attributes:
        filters: Channels of the encoder blocks.
        dilation_rates: Dilation of the center's branches.

    Raises:
        ValueError: If they are no positive numbers, too large, or of fewer than two levels.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128)
    dilation_rates: tuple[int, ...] = (1, 2, 4, 8)

    def __post_init__(self) -> None:
        check_counts("filters", self.filters, least=2)
        check_counts("dilation_rates", self.dilation_rates)
        if max(self.dilation_rates) > _LARGEST_DILATION:
            raise ValueError(
                f"`dilation_rates` must be at most {_LARGEST_DILATION}. Received: {list(self.dilation_rates)!r}"
            )


def network(plan: RunPlan) -> Network:
    """Return SegET's builder with what follows from the plan's architecture.

    Raises:
        InputError: If a setting under ``model`` is unknown or wrong.
    """
    from segkit.experiments.job import Network
    from segkit.models.seget import seget, seget_halo_px, seget_multiple_px

    chosen = model_settings(ModelSettings, plan)
    levels = len(chosen.filters)
    return Network(seget, seget_multiple_px(levels), seget_halo_px(levels, chosen.dilation_rates))


RECIPE = Recipe(
    name="segET",
    description="Train SegET, segment the volume, score, export, report.",
    add_arguments=add_arguments,
    check_arguments=check_arguments,
    draft=draft,
    resumed=resumed,
    network=network,
    tiny=tiny,
    model_settings=ModelSettings,
)


def main(argv: Sequence[str]) -> None:
    """Run a command line."""
    run_recipe(RECIPE, argv)


if __name__ == "__main__":
    sys.exit(recipe_command(RECIPE))
