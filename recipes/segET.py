"""SegET: segment one kind of structure in electron tomograms.

Zhang, Zhang, Liu, Wan, Zhu (2019), "SegET: Deep Neural Network with Rich Contextual Features for Cellular Structures
Segmentation in Electron Tomography Image".

    python -m recipes.segET --structure centriole
    python -m recipes.segET --structure mitochondria --tomogram T.mrc --mask M.mrc --out runs/mito
    python -m recipes.segET --structure all --tomogram T.mrc --mask synapse=S.mrc --mask golgi=G.mrc

Without data it makes a phantom and trains a small version of the plan on it: about 7 minutes on 2 CPU cores. With
data the settings are the paper's: 420 to 630 s an epoch on a Tesla K40c for 76 slices of 2048 x 2048; its validation
mIoU stands with each structure below.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import logging
import math
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segkit.console import parse_size, run_command
from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.sources import Source, open_source
from segkit.errors import InputError
from segkit.experiments.arguments import (
    add_data_arguments,
    add_output_arguments,
    add_training_arguments,
    labeled,
    masks_by_structure,
    overridden,
)
from segkit.experiments.demo_phantoms import PATCH_PX, demo_phantoms
from segkit.experiments.plan import PLAN_NAME, RunPlan, check_writable, claim_folder, read_plan, remove_run, write_plan
from segkit.experiments.resume import runs_to_resume
from segkit.experiments.settings import TINY
from segkit.progress import ProgressLine
from segkit.training.plan import TrainingPlan
from segkit.training.preparation import shrink_patch, tabulate

if TYPE_CHECKING:
    from segkit.experiments.job import Network

_LOG = logging.getLogger("segkit.run")
MULTIPLE_PX = 16  # four levels that halve the resolution


@dataclasses.dataclass(frozen=True, kw_only=True)
class Structure:
    """What the paper does for one structure (Sec. 3.2) and what it reaches (Table 1).

    Attributes:
        name: Name of the structure; part of file names and never renamed.
        learning_rate: Adam's step size.
        decay: Time decay a step.
        epochs: Epochs at most.
        early_stopping_patience: Epochs without a better validation mIoU before the end.
        plateau_patience: Epochs without a better validation mIoU before the step size is halved.
        weight_limit: Bound of the adaptive weights; ``None`` where the paper does not weight.
        positive_copies: Extra copies of patches with foreground.
        paper_mean_iou: Validation mIoU of Table 1.
        demo_weight_limit: Bound of the weights in the demo preset, which has a few epochs and not hundreds.
    """

    name: str
    learning_rate: float = 2e-3
    decay: float = 1e-5
    epochs: int
    early_stopping_patience: int = 8
    plateau_patience: int = 3
    weight_limit: float | None = None
    positive_copies: int = 0
    paper_mean_iou: float | None = None
    demo_weight_limit: float = 3.0


STRUCTURES = {
    structure.name: structure
    for structure in (
        Structure(name="synapse", learning_rate=1e-4, decay=1e-6, epochs=38, paper_mean_iou=0.9322),
        Structure(
            name="microtubules",
            learning_rate=1e-3,
            epochs=300,
            weight_limit=2000.0,  # so that patches with a few pixels of a tubule do not rule the loss
            paper_mean_iou=0.7676,
            demo_weight_limit=30.0,  # with 3, all becomes background
        ),
        Structure(
            name="centriole",
            decay=1e-6,
            epochs=300,
            early_stopping_patience=10,
            weight_limit=2000.0,
            positive_copies=4,  # "copied by 4 times", read as 4 extra copies
            paper_mean_iou=0.8541,
        ),
        Structure(name="granules", epochs=60, early_stopping_patience=5, plateau_patience=2, paper_mean_iou=0.9475),
        Structure(
            name="golgi",
            epochs=124,
            early_stopping_patience=5,
            plateau_patience=2,
            weight_limit=1000.0,
            positive_copies=2,
            paper_mean_iou=0.8687,
        ),
    )
}


def paper_plan(structure: Structure) -> TrainingPlan:
    """Return the paper's plan: patches of 512 with stride 256, batches of 12, no augmentation."""
    return TrainingPlan(
        augmentation=NO_AUGMENTATION,
        epochs=structure.epochs,
        learning_rate=structure.learning_rate,
        decay=structure.decay,
        early_stopping_patience=structure.early_stopping_patience,
        plateau_patience=structure.plateau_patience,
        weight_limit=structure.weight_limit,
        positive_copies=structure.positive_copies,
    )


def demo_plan(structure: Structure) -> TrainingPlan:
    """Return a plan for small machines: a quarter of the patch area, few epochs, augmentation against few data.

    A step size that falls fast brings a network home in about 1500 steps of 8 patches. Weights are bounded far lower
    than in the paper: its limits are made for hundreds of epochs, and in a few they only teach to paint too much.
    Very rare structures need more than the others, or all becomes background.
    """
    return dataclasses.replace(
        paper_plan(structure),
        patch_px=256,
        stride_px=128,
        validation_stride_px=256,
        batch_size=8,
        augmentation=Augmentation(brightness=0.3, contrast=0.2),
        epochs=25,
        learning_rate=1e-3,
        decay=3e-3,
        early_stopping_patience=10,
        plateau_patience=4,
        weight_limit=None if structure.weight_limit is None else structure.demo_weight_limit,
        positive_copies=1 if structure.name in STRUCTURES else min(structure.positive_copies, 1),
    )


def measured_structure(name: str, background_to_foreground: float, positive_share: float) -> Structure:
    """Return settings for a structure that the paper does not have, from two measurements on the training patches.

    The rule interpolates the paper's own choices. Weights: none below a mean B/F of 20 (as for synapse and
    granules), a limit of 1000 below 200 (as for Golgi), 2000 above (as for microtubules). Copies: as few as bring
    positive patches to 40 % (the share that the paper states for Golgi), at most 4.

    Args:
        name: Name of the structure.
        background_to_foreground: Mean B/F over the training patches that have foreground.
        positive_share: Share of training patches that have foreground, in (0, 1].
    """
    limit = None if background_to_foreground < 20 else 1000.0 if background_to_foreground < 200 else 2000.0
    wanted = math.ceil(0.4 * (1 - positive_share) / (0.6 * positive_share)) - 1 if positive_share < 0.4 else 0
    return Structure(
        name=name,
        learning_rate=1e-3,
        epochs=100,
        weight_limit=limit,
        positive_copies=min(max(wanted, 0), 4),
        demo_weight_limit=30.0 if background_to_foreground > 200 else 3.0,
    )


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m recipes.segET",
        description="Train SegET, segment the volume, score, export, report.",
    )
    what = parser.add_argument_group("what")
    what.add_argument("--structure", help=f"{', '.join(STRUCTURES)}, all, or any name of your own together with --mask")
    what.add_argument("--preset", choices=("paper", "demo"), help="paper with data, demo without, if not given")
    what.add_argument(
        "--plan", type=pathlib.Path, metavar="FILE", help="run this plan.json; training arguments given beside it count"
    )
    what.add_argument("--init", metavar="FILE", help="start from the weights of this model")

    add_data_arguments(parser)
    add_training_arguments(parser)
    add_output_arguments(parser)
    args = parser.parse_args(argv)
    if not (args.structure or args.plan or (args.resume and args.out)):
        raise InputError("nothing to do: give --structure NAME, --plan FILE, or --resume with --out FOLDER")
    if args.structure:
        check_structure(args.structure)
    return args


def resolve(args: argparse.Namespace) -> list[tuple[RunPlan, pathlib.Path]]:
    """Return the plans that a command line means, each with its run folder.

    Raises:
        InputError: If the arguments do not fit together, or a file can not be read.
    """
    if args.plan:
        if args.tomogram or args.mask or args.structure:
            raise InputError(f"{args.plan}: a plan names its structure and data; edit it, or leave --plan out")
        plan = read_plan(args.plan)
        return [
            (
                dataclasses.replace(plan, training=overridden(plan.training, args)),
                args.out or pathlib.Path("runs", plan.structure),
            )
        ]
    root = args.out or pathlib.Path("runs", args.structure)
    if args.resume:
        return runs_to_resume(args, root)
    masks, held_out = masks_by_structure(args.mask, args), masks_by_structure(args.validation_mask, args)
    if not args.tomogram:
        return on_phantom(args, masks, root)
    if not masks:
        raise InputError("a tomogram without a mask: give --mask FILE (painted by hand or by another program)")
    preset = args.preset or "paper"
    plans = []
    for name, files in masks.items():
        check_structure(name)
        data = labeled(args, name, files, held_out.get(name, []))
        training, notices = settings(name, preset, data, args.ignore_value)
        plan = RunPlan(
            recipe="segET",
            structure=name,
            preset=f"{preset}, measured" if notices else preset,
            data=tuple(data),
            training=overridden(training, args),
            init=args.init,
            notices=notices,
        )
        plans.append((plan, root / name if args.structure == "all" else root))
    return plans


def check_structure(name: str) -> None:
    """Refuse a name that can not be part of a file name; point at what may be a slip of the pen.

    Raises:
        InputError: If the name is not plain.
    """
    if not re.fullmatch(r"[\w][\w .+-]*", name):
        raise InputError(f"structure {name!r}: it becomes part of file names; use letters, digits, - and _")
    if name not in STRUCTURES and (close := difflib.get_close_matches(name, STRUCTURES, n=1, cutoff=0.65)):
        _LOG.warning("warning: %r is taken as a structure of your own; if you mean %r, say so", name, close[0])


def settings(
    name: str, preset: str, data: Sequence[Source], ignore_value: int | None
) -> tuple[TrainingPlan, tuple[str, ...]]:
    """Return the training plan of a structure, and what was measured for one that the paper does not have."""
    to_plan = demo_plan if preset == "demo" else paper_plan
    structure, notices = STRUCTURES.get(name), ()
    if structure is None:
        cut = dataclasses.replace(to_plan(Structure(name=name, epochs=1)), ignore_value=ignore_value)
        volumes = [
            open_source(source, ignore_value=ignore_value, progress=ProgressLine("measuring the mask"))
            for source in data
        ]
        table = tabulate(volumes, "train", shrink_patch(cut, volumes, MULTIPLE_PX))
        if not table.positive.any():
            raise InputError(f"{name}: no foreground on the training slices; choose slices that the mask has it on")
        ratio, share = table.background_to_foreground(), float(table.positive.mean())
        structure = measured_structure(name, ratio, share)
        notices = (
            f"Not one of the paper's structures: weights and copies follow from a mean B/F of {ratio:.1f} and "
            f"{100 * share:.0f} % of patches with foreground.",
        )
    return dataclasses.replace(to_plan(structure), ignore_value=ignore_value), notices


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    small = dataclasses.replace(
        plan.training, patch_px=32, stride_px=32, validation_stride_px=32, batch_size=4, epochs=2, positive_copies=0
    )
    notice = "SEGKIT_TINY_PLAN is set: a tiny network and two epochs. The scores mean nothing."
    return dataclasses.replace(
        plan,
        model={"filters": [2, 4], "dilation_rates": [1, 2]},
        training=small,
        notices=(*plan.notices, notice),
    )


def on_phantom(
    args: argparse.Namespace, masks: dict[str, list[str]], root: pathlib.Path
) -> list[tuple[RunPlan, pathlib.Path]]:
    """Make phantoms and plan for them."""
    names = list(STRUCTURES) if args.structure == "all" else [args.structure]
    if masks:
        raise InputError("a mask without a tomogram: give --tomogram FILE")
    if unknown := [name for name in names if name not in STRUCTURES]:
        raise InputError(
            f"structure {unknown[0]!r} is none of {', '.join(STRUCTURES)}; for one of your own give "
            "--tomogram and --mask"
        )
    claim_folder(root, resume=False, overwrite=args.overwrite)
    preset = args.preset or "demo"
    sources, notice = demo_phantoms(root / "phantoms", names, args.seed or 0)
    plans = []
    for name in names:
        training = paper_plan(STRUCTURES[name]) if preset == "paper" else phantom_plan(STRUCTURES[name])
        plan = RunPlan(
            recipe="segET",
            structure=name,
            preset=preset,
            data=sources[name],
            training=overridden(training, args),
            init=args.init,
            notices=(notice,),
        )
        plans.append((plan, root / name if args.structure == "all" else root))
    return plans


def phantom_plan(structure: Structure) -> TrainingPlan:
    """Return the demo's plan with patches of the field that the paper's patches see, in the phantoms' larger voxels."""
    return dataclasses.replace(
        demo_plan(structure),
        patch_px=PATCH_PX,
        stride_px=96,
        validation_stride_px=PATCH_PX,
        epochs=8,
        learning_rate=2e-3,
        decay=5e-3,
        plateau_patience=3,
        positive_copies=0,
    )


def main(argv: Sequence[str]) -> None:
    """Resolve the plans, check all of them, then run each: data, model, training, evaluation, export, report."""
    args = parse_args(argv)
    max_ram = parse_size(args.max_ram)
    plans = resolve(args)
    if TINY and not (args.resume or args.plan):
        plans = [(tiny(plan), folder) for plan, folder in plans]
    for _, folder in plans:
        claim_folder(folder, resume=args.resume, overwrite=args.overwrite)
    check_writable(args.saved_models)
    if args.plan_only:
        for plan, folder in plans:
            if args.overwrite:
                remove_run(folder)
            write_plan(plan, folder / PLAN_NAME)
            sys.stderr.write(f"plan: {folder / PLAN_NAME}\n")
        return
    from segkit.experiments.job import set_up  # loads TensorFlow, which --help and mistakes need not wait for
    from segkit.experiments.training_run import run

    jobs = [set_up(plan, folder, network(plan)) for plan, folder in plans]
    for job in jobs:
        if not args.resume:
            write_plan(job.plan, job.folder / PLAN_NAME)
    for job in jobs:
        run(job, saved_models=args.saved_models, resume=args.resume, max_ram=max_ram)
        write_plan(job.plan, job.folder / PLAN_NAME)  # with the epochs that a resumed run was given


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


if __name__ == "__main__":
    sys.exit(run_command(main, when_interrupted="Finished epochs are kept: run the same command with --resume."))
