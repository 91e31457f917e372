"""EfficientCellSeg: cells in stacks of fluorescence microscopy, separated, from a network of 6.7 million parameters.

Wagner & Rohr (2022), "EfficientCellSeg: Efficient Volumetric Cell Segmentation Using Context Aware Pseudocoloring".

    python -m recipes.efficientcellseg
    python -m recipes.efficientcellseg --images stacks/ --labels labels/ --instances distance
    python -m recipes.efficientcellseg --ctc Fluo-C3DL-MDA231/ --sequence 01

Images are stacks (TIFF, MRC, HDF5), or folders of them; labels are stacks of the same shape with an id for every cell.
Of three stacks or more the first 70 % are trained on, the next 10 % choose the checkpoint, and the rest is scored; of
fewer the same shares of their slices. ImageNet weights are taken from Keras's cache where they are.

Without data it simulates stacks and trains a small version of the plan on them: about 10 minutes on 2 CPU cores, SEG
about 0.87. With data the settings are the paper's: 100 epochs of slices resized to 384 x 384.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recipes.cells import ablation
from recipes.cells.arguments import add_arguments, check_arguments
from recipes.cells.measured import measured
from recipes.cells.presets import training_plan
from recipes.cells.protocols import PROTOCOLS, Protocol
from recipes.cells.settings import ModelSettings
from segkit.data.augmentation import NO_AUGMENTATION
from segkit.data.sources import Source
from segkit.experiments.arguments import overridden
from segkit.experiments.demo_cells import demo_cells, simulate_demo_cells
from segkit.experiments.draft import Draft
from segkit.experiments.folder import SIMULATED_NAME
from segkit.experiments.plan import RunPlan
from segkit.experiments.recipe import Recipe, recipe_command, run_recipe
from segkit.experiments.resume import run_to_resume
from segkit.experiments.stack_arguments import labeled_stacks, run_name, sequences_of
from segkit.experiments.tiny import tiny_plan
from segkit.instances.instance_settings import InstanceSettings
from segkit.preprocessing.color_slices import ColorSlices
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask

if TYPE_CHECKING:
    from segkit.experiments.job import Job, Network

DECODER_FILTERS = (64, 48, 32, 16)


def name_of(args: argparse.Namespace) -> str:
    """Return the name of what is segmented."""
    return run_name(args, args.protocol if args.protocol != "own" else "cells")


def folder_of(args: argparse.Namespace) -> pathlib.Path:
    """Return the run folder."""
    return args.out or pathlib.Path("runs", name_of(args))


def draft(args: argparse.Namespace) -> list[Draft]:
    """Return the run that arguments mean: on stacks of files, of the challenge, or simulated into the run folder."""
    protocol, folder = PROTOCOLS[args.protocol], folder_of(args)
    split_notice = None
    if args.images or args.ctc:
        data, notices, make_data = labeled_stacks(args, folder)
        if protocol.paper_seg is not None:
            notices = [_PAPER_SEG.format(protocol.paper_seg), *notices]
    else:
        # The arguments of both functions, which must name the same files.
        simulated = folder / SIMULATED_NAME, protocol.simulation, args.seed or 0
        data, notices = demo_cells(*simulated)
        split_notice, make_data = notices[-1], functools.partial(simulate_demo_cells, *simulated)
    plan = planned(args, protocol, data, notices)
    measure = functools.partial(measured, args=args)
    return [Draft(plan=plan, folder=folder, make_data=make_data, measure=measure, split_notice=split_notice)]


_PAPER_SEG = (
    "The paper's SEG for this data set is {} (Table 3), on sequences of the challenge that only its organisers can "
    "score."
)


def planned(args: argparse.Namespace, protocol: Protocol, data: tuple[Source, ...], notices: Sequence[str]) -> RunPlan:
    """Return the plan for data, but for what follows from the cells on the training slices."""
    preset = args.preset or ("paper" if args.images or args.ctc else "small")
    method = "components" if args.ablation else args.instances or protocol.instances
    task = CentersTask if method == "centers" else CellsTask
    weights = None if args.encoder_weights == "none" else args.encoder_weights or "auto"
    training = dataclasses.replace(training_plan(preset, args.size), ignore_value=args.ignore_value)
    return RunPlan(
        recipe="efficientcellseg",
        structure=name_of(args),
        preset=preset if protocol.name == "own" else f"{preset}, protocol {protocol.name}",
        data=data,
        task=task(instances=InstanceSettings(method=method)),
        preprocessing=ColorSlices(
            coloring={"kind": args.coloring or "pseudocolor"}, windows=args.windows or protocol.windows
        ),
        model={
            "encoder": args.encoder or ("efficientnet_b5" if preset == "paper" else "efficientnet_b0"),
            "encoder_weights": weights,
            "freeze_encoder": args.freeze_encoder,
            "decoder_filters": list(args.decoder_filters or DECODER_FILTERS),
        },
        training=overridden(training, args),
        notices=tuple(notices),
    )


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    model = {"encoder": "efficientnet_b0", "decoder_filters": [8, 4, 4, 4]}
    return tiny_plan(plan, model=model, augmentation=NO_AUGMENTATION)


def resumed(args: argparse.Namespace) -> list[Draft]:
    """Return the run in the folder."""
    folder = folder_of(args)
    return [Draft(plan=run_to_resume("efficientcellseg", folder, args), folder=folder)]


def network(plan: RunPlan) -> Network:
    """Return the network of a plan."""
    from recipes.cells import network as networks

    return networks.network(plan)


def settle(plan: RunPlan, is_resumed: bool, kind: str) -> RunPlan:
    """Return a plan that says which weights the encoder starts from."""
    from recipes.cells import network as networks

    return networks.settle(plan, is_resumed, kind)


def finish(job: Job, mode: Mapping[str, Any], max_ram: int | None) -> None:
    """Write the results of the sequences of the challenge."""
    from segkit.experiments.challenge_results import write_results

    for sequence in mode.get("sequences", ()):
        write_results(job, pathlib.Path(sequence), max_ram=max_ram)


RECIPE = Recipe(
    name="efficientcellseg",
    description="Train EfficientCellSeg, separate the cells of a stack, score, export, report.",
    add_arguments=add_arguments,
    check_arguments=check_arguments,
    draft=draft,
    resumed=resumed,
    network=network,
    tiny=tiny,
    model_settings=ModelSettings,
    settle=settle,
    comparison=ablation.COMPARISON,
    measure=ablation.measure,
    remember=lambda args, plan: {"sequences": [str(path) for path in sequences_of(args, plan)]},
    finish=finish,
)


def main(argv: Sequence[str]) -> None:
    """Run a command line."""
    run_recipe(RECIPE, argv)


if __name__ == "__main__":
    sys.exit(recipe_command(RECIPE))
