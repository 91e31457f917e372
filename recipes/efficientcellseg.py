"""EfficientCellSeg: cells in stacks of fluorescence microscopy, told apart, from a network of 6.7 million parameters.

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
import json
import pathlib
import re
import sys
from collections.abc import Sequence

from recipes.cells.arguments import NAME, parse_args
from recipes.cells.data import (
    LabeledStack,
    challenge_stacks,
    measure_cells,
    paired_stacks,
    simulated_stacks,
    sources_of,
)
from recipes.cells.mode import resolve_mode
from recipes.cells.protocols import PROTOCOLS, Protocol
from segkit.console import parse_size, run_command
from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.arguments import overridden
from segkit.experiments.plan import (
    MODE_NAME,
    PLAN_NAME,
    RunPlan,
    check_writable,
    claim_folder,
    nothing_left_of,
    read_plan,
    remove_run,
    write_plan,
)
from segkit.experiments.settings import NEVER, TINY
from segkit.instances.instance_settings import InstanceSettings
from segkit.preprocessing.color_slices import ColorSlices
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask
from segkit.training.plan import TrainingPlan
from segkit.volumes.whole_output import whole_file

DECODER_FILTERS = (64, 48, 32, 16)


def name_of(args: argparse.Namespace) -> str:
    """Return the name of what is segmented: as given, the run folder's, or the protocol's."""
    if args.name or args.out is None:
        return args.name or (args.protocol if args.protocol != "own" else "cells")
    return args.out.name if re.fullmatch(NAME, args.out.name) else "cells"


def folder_of(args: argparse.Namespace) -> pathlib.Path:
    """Return the run folder."""
    return args.out or pathlib.Path("runs", name_of(args))


def resolve(args: argparse.Namespace) -> tuple[RunPlan, pathlib.Path]:
    """Return the plan that a command line means, and the run folder.

    Without data, stacks are simulated into the run folder; of frames that are annotated in part, labels are put
    together there.

    Raises:
        InputError: If the arguments do not fit together, or a file can not be read.
    """
    protocol, folder = PROTOCOLS[args.protocol], folder_of(args)
    claim_folder(folder, resume=args.resume, overwrite=args.overwrite, keeps_plan=True)
    if args.resume:
        return _resumed(args, folder), folder
    has_data = bool(args.images or args.ctc)
    preset = args.preset or ("paper" if has_data else "small")
    notices: list[str] = []
    if has_data:
        stacks, tests = stacks_of(args, folder)
        given = {"train_z": args.train_z, "validation_z": args.validation_z, "test_z": args.test_z}
        data = sources_of(stacks, tests=tests, **given)
        if protocol.paper_seg is not None:
            notices.append(
                f"The paper's SEG for this data set is {protocol.paper_seg} (Table 3), on sequences of the challenge "
                "that only its organisers can score."
            )
        if args.ctc and len(stacks) > 1 and not tests:
            notices.append(
                "Frames of one sequence show the same cells, so the scores are of cells that were trained on at other "
                "times; --test-sequence scores another sequence."
            )
        if single := sum(stack.count == 1 for stack in stacks):
            notices.append(
                f"{single} of {len(stacks)} images are a single slice: each is treated as a stack of one, its "
                "neighbours are black."
            )
    else:
        data, notice = simulated_stacks(folder / "simulated", protocol.simulation, args.seed or 0)
        notices.append(notice)
    return planned(args, protocol, name_of(args), preset, data, notices), folder


def stacks_of(args: argparse.Namespace, folder: pathlib.Path) -> tuple[list[LabeledStack], list[LabeledStack]]:
    """Return the stacks that are given, and those that are only scored."""
    if not args.ctc:
        return paired_stacks(args.images, args.labels), []
    found = [
        challenge_stacks(args.ctc, sequence, folder / "annotated" / sequence, reference=args.reference or "GT")
        for sequence in (args.sequence or "01", args.test_sequence)
        if sequence
    ]
    return found[0], found[1] if len(found) > 1 else []


_ONE_ID = (
    "All cells of a stack have one id. If the labels are a mask, give ids: otherwise cells can not be scored apart."
)


_FLAT_CENTERS = (
    "Single slices are annotated, so centres are those of cross-sections: cells are told apart slice by slice, then "
    "joined."
)


def planned(
    args: argparse.Namespace,
    protocol: Protocol,
    name: str,
    preset: str,
    data: tuple[Source, ...],
    notices: Sequence[str],
) -> RunPlan:
    """Return the plan for data: what the command line leaves open follows from the cells on the training slices."""
    cells = measure_cells(data)
    share = args.expected_share or min(1.0, 2 * cells.share)
    method = "components" if args.ablation else args.instances or protocol.instances
    # Of slices annotated one by one the network learns the centres of cross-sections, not of cells.
    has_flat_centers = method == "centers" and any(source.annotated_in_part for source in data)
    instances = {
        "method": method,
        "slice_wise": args.slice_wise or has_flat_centers,
        "seed_distance": _first(args.seed_distance, round(0.5 * cells.radius_px, 1)),
        "smoothing": _first(args.smoothing, round(0.2 * cells.radius_px, 1)),
        "min_depth": _first(args.min_depth, InstanceSettings.min_depth),
        "min_size": _first(args.min_size, max(1, round(0.05 * cells.voxels))),
    }
    measured = (
        f"Measured on the training slices: {100 * cells.share:.3g} % of the voxels are cells, of a median radius of "
        f"{cells.radius_px:.3g} px. From that follow, unless they were given: an expected share of {share:.3g}, a seed "
        f"distance of {instances['seed_distance']} px, a smoothing of {instances['smoothing']} px and a least size of "
        f"{instances['min_size']} voxels."
    )
    if has_flat_centers and not args.slice_wise:
        notices = (*notices, _FLAT_CENTERS)
    if cells.one_id:
        notices = (*notices, _ONE_ID)
    kind = args.coloring or "pseudocolor"
    coloring = {"kind": kind, **({"expected_share": share} if kind == "pseudocolor" else {})}
    task = CentersTask if method == "centers" else CellsTask
    weights = None if args.encoder_weights == "none" else args.encoder_weights or "auto"
    plan = RunPlan(
        recipe="efficientcellseg",
        structure=name,
        preset=preset if protocol.name == "own" else f"{preset}, protocol {protocol.name}",
        data=data,
        task=task(instances=InstanceSettings(**instances)),
        preprocessing=ColorSlices(coloring=coloring, windows=args.windows or protocol.windows),
        model={
            "encoder": args.encoder or ("efficientnet_b5" if preset == "paper" else "efficientnet_b0"),
            "encoder_weights": weights,
            "freeze_encoder": args.freeze_encoder,
            "decoder_filters": list(args.decoder_filters or DECODER_FILTERS),
        },
        training=overridden(training_plan(preset, args.size), args),
        notices=(*notices, measured),
    )
    return tiny(plan) if TINY else plan


def _first(given: float | None, measured: float) -> float:
    return measured if given is None else given


def training_plan(preset: str, size_px: int | None) -> TrainingPlan:
    """Return how a preset trains.

    The paper's: slices of 384 x 384, 100 epochs of Adam, the step size reduced on plateaus; it is silent on batch,
    first step size and augmentation. The small one sees fewer and smaller slices, in large steps that fall fast.
    """
    shared = {"batch_size": 8, "augmentation": Augmentation(), "l2": 0.0, "early_stopping_patience": NEVER}
    shared |= {"plateau_patience": 5}
    if preset == "paper":
        size = size_px or 384
        rest = {"epochs": 100, "learning_rate": 1e-3}
    else:
        size = size_px or 192
        rest = {"epochs": 40, "learning_rate": 2e-3, "decay": 3e-3}
    return TrainingPlan(patch_px=size, stride_px=size, validation_stride_px=size, **shared, **rest)


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    size = {"patch_px": 32, "stride_px": 32, "validation_stride_px": 32, "batch_size": 4}
    return dataclasses.replace(
        plan,
        model={**plan.model, "encoder": "efficientnet_b0", "decoder_filters": [8, 4, 4, 4]},
        training=dataclasses.replace(plan.training, **size, epochs=2, augmentation=NO_AUGMENTATION),
        notices=(*plan.notices, "SEGKIT_TINY_PLAN is set: small slices and two epochs. The scores mean nothing."),
    )


def _resumed(args: argparse.Namespace, folder: pathlib.Path) -> RunPlan:
    plan = read_plan(folder / PLAN_NAME)
    if plan.recipe != "efficientcellseg":
        raise InputError(f"{folder}: holds a run of the recipe {plan.recipe}; choose another --out")
    return dataclasses.replace(plan, training=overridden(plan.training, args))


def main(argv: Sequence[str]) -> None:
    """Resolve the plan, check it, then run it: data, model, training, evaluation, export, report."""
    args = parse_args(argv)
    max_ram = parse_size(args.max_ram)
    check_writable(args.saved_models)
    from recipes.cells.ablation import ablate, check_models
    from recipes.cells.challenge_results import write_results
    from recipes.cells.network import check_encoder, network, with_weights  # loads TensorFlow, but not for --help
    from segkit.experiments.job import set_up
    from segkit.experiments.training_run import run

    check_encoder(args.encoder)
    check_models(args.models.split(",") if args.models else ())
    with nothing_left_of(folder_of(args)):
        plan, folder = resolve(args)
        mode = resolve_mode(args, folder)
        if not args.plan_only:
            if not args.resume or plan.model["encoder_weights"] == "auto":
                checked = with_weights(plan)
                plan = checked if mode["ablation"] is None else plan  # whose models differ in this
            job = set_up(plan, folder, network(plan))
            plan = job.plan
    if args.overwrite and not args.resume:
        remove_run(folder)
    if not args.resume:
        write_plan(plan, folder / PLAN_NAME)
    with whole_file(folder / MODE_NAME, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(mode) + "\n")
    if args.plan_only:
        for notice in plan.notices:
            sys.stderr.write(f"note: {notice}\n")
        sys.stderr.write(f"plan: {folder / PLAN_NAME}; start it with --out {folder} --resume\n")
        return
    if mode["ablation"] is not None:
        ablate(job, mode["ablation"])
        return
    run(job, saved_models=args.saved_models, resume=args.resume, max_ram=max_ram)
    write_plan(job.plan, folder / PLAN_NAME)  # with the epochs that a resumed run was given
    for sequence in mode["sequences"]:
        write_results(job, pathlib.Path(sequence), max_ram=max_ram)


if __name__ == "__main__":
    sys.exit(run_command(main, when_interrupted="Finished epochs are kept: run the same command with --resume."))
