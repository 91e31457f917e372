"""Feature random enhancement: several classes from few images, with the deep layers of a U-Net trained in earnest.

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
import json
import math
import pathlib
import re
import sys
from collections.abc import Sequence

from recipes.enhancement.methods import METHODS, PAPER_FILTERS, SMALL_FILTERS, task_of
from recipes.enhancement.mode import SEARCHES, joins_search, methods_named, resolve_mode, searching
from segkit.console import parse_size, run_command
from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.patches import window_origins
from segkit.data.sources import Source, write_slices
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments.arguments import add_output_arguments, add_slice_arguments, add_training_arguments, overridden
from segkit.experiments.plan import (
    MODE_NAME,
    PLAN_NAME,
    SEARCH_NAME,
    RunPlan,
    check_writable,
    claim_folder,
    read_plan,
    remove_run,
    write_plan,
)
from segkit.experiments.settings import NEVER, TINY
from segkit.progress import ProgressLine
from segkit.training.plan import TrainingPlan
from segkit.volumes.files import open_volume
from segkit.volumes.whole_output import whole_file

_SMALL_STEPS = 2000
_MULTIPLE_PX = 16  # four levels that halve the resolution
_SMALL_BATCH = 4  # as fast a tile as more on a CPU, and twice the steps of 8: rare classes are found in half the time
_SPLIT = (0.7, 0.1)  # training, validation; the rest is for the test. 50 images give the paper's 35, 5 and 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """A data set of the paper, and what its authors did with it (Sec. 4).

    Attributes:
        name: Name on the command line; never renamed.
        images: Number of images it must have; ``None`` for any.
        size_px: Sides that they must have [px]; ``None`` for any.
        classes: Names of the classes; empty where only their number is known.
        num_enhanced: The B that the paper's search found.
        gain: The X that it found.
        supervision: The share of the second head's loss that it found.
    """

    name: str
    images: int | None = None
    size_px: int | None = None
    classes: tuple[str, ...] = ()
    num_enhanced: int = 8
    gain: float = 250.0
    supervision: float = 0.2781


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(name="own"),
        Protocol(
            name="mouse",
            images=50,
            size_px=256,
            classes=("background", "membrane", "nucleus"),
            num_enhanced=162,
            gain=632.0,
            supervision=0.3257,
        ),
        Protocol(
            name="drosophila",
            images=20,
            size_px=1024,
            classes=("background", "membrane", "mitochondria", "synapse"),
        ),
    )
}


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m recipes.fre",
        description="Train a U-Net with feature random enhancement, score, export, report.",
    )
    data = parser.add_argument_group("data")
    data.add_argument("--images", metavar="FILE", help="stack of grey images, or a folder of them")
    data.add_argument("--labels", metavar="FILE", help="stack of the same shape with the classes 0, 1, 2, ...")
    data.add_argument("--name", help="what is segmented; names the run and the served model (the images' file name)")
    data.add_argument(
        "--class-names", metavar="A,B,...", help="names of the classes 0, 1, 2, ..., if not all occur too"
    )
    data.add_argument("--ignore-value", type=int, metavar="V", help="label of pixels nobody annotated")
    add_slice_arguments(data)
    data.add_argument("--protocol", choices=tuple(PROTOCOLS), default="own", help="a data set of the paper's")
    what = parser.add_argument_group("what")
    what.add_argument("--method", choices=tuple(METHODS), help="fre, if not given")
    what.add_argument("--num-enhanced", type=int, metavar="B", help="feature maps that are enhanced")
    what.add_argument("--gain", type=float, metavar="X", help="factor of enhanced maps")
    what.add_argument("--supervision", type=float, metavar="LAMBDA", help="share of the second head's loss")
    what.add_argument("--normalization", choices=("batch", "renorm"), default="batch")
    what.add_argument("--preset", choices=("small", "paper"), default="small")
    what.add_argument("--compare", action="store_true", help="train every method and write the table")
    what.add_argument("--methods", metavar="A,B,...", help=f"methods to compare, of {', '.join(METHODS)} (all)")
    what.add_argument("--seeds", type=int, metavar="N", help="trainings of each method, seeds 0 to N - 1")
    search = parser.add_argument_group("search")
    search.add_argument("--search", type=int, metavar="N", help="find B and X in N trials (the paper: 50)")
    search.add_argument("--halving", action="store_true", help="find them by successive halving instead")
    add_training_arguments(parser)
    add_output_arguments(parser)
    args = parser.parse_args(argv)
    check_choices(args)
    if TINY:
        args.seeds, args.search = args.seeds and 1, args.search and min(args.search, 2)
    return args


def check_choices(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if not (args.images and args.labels) and not (args.resume and args.out):
        raise InputError("nothing to do: give --images FILE and --labels FILE, or --resume with --out FOLDER")
    if args.compare and args.method:
        raise InputError("--method beside --compare; choose what to compare with --methods")
    if (args.methods or args.seeds is not None) and not (args.compare or args.resume):
        raise InputError("--methods or --seeds without --compare; one training takes --method and --seed")
    if args.compare and args.seed is not None:
        raise InputError("--seed beside --compare; give the number of seeds with --seeds")
    if (args.search is not None or args.halving) and args.compare:
        raise InputError("--search or --halving beside --compare; search first, then compare with what it found")
    if args.search is not None and args.halving:
        raise InputError("--search beside --halving; give one of them")
    if searching(args) and not METHODS[args.method or "fre"].searched:
        fitting = ", ".join(method.name for method in METHODS.values() if method.searched)
        raise InputError(f"--method {args.method} has nothing to search for; choose one of {fitting}")
    if args.search is not None and args.search < 1:
        raise InputError(f"--search {args.search}; give at least 1 trial")
    if searching(args) and any(getattr(args, name) is not None for name in METHODS[args.method or "fre"].searched):
        raise InputError("--num-enhanced, --gain or --supervision beside a search for it; give one of them")
    if args.seeds is not None and args.seeds < 1:
        raise InputError(f"--seeds {args.seeds}; give at least 1")
    named = methods_named(args) or []
    if unknown := [name for name in named if name not in METHODS]:
        raise InputError(f"method {unknown[0]!r} is none of {', '.join(METHODS)}")
    if len(set(named)) < len(named):
        raise InputError(f"--methods {args.methods}: one is named twice; name each once")
    if not args.images and any(getattr(args, name) is not None for name in _OF_THE_MODEL):
        raise InputError("--method, --num-enhanced, --gain or --supervision of a run to resume; its plan holds them")
    if args.gain is not None and not 0 < args.gain < math.inf:
        raise InputError(f"--gain {args.gain:g}; give a positive, finite factor")
    if args.num_enhanced is not None and args.num_enhanced < 1:
        raise InputError(f"--num-enhanced {args.num_enhanced}; give at least 1")
    if args.supervision is not None and not 0 < args.supervision < 1:
        raise InputError(f"--supervision {args.supervision:g}; give a share between 0 and 1")
    if args.name and not re.fullmatch(r"[\w][\w .+-]*", args.name):
        raise InputError(f"--name {args.name!r}: it becomes part of file names; use letters, digits, - and _")


_OF_THE_MODEL = ("method", "num_enhanced", "gain", "supervision")


def resolve(args: argparse.Namespace) -> tuple[RunPlan, pathlib.Path]:
    """Return the plan that a command line means, and the run folder.

    Raises:
        InputError: If the arguments do not fit together, or a file can not be read.
    """
    if args.resume and args.out and not args.images:
        return _resumed(args, read_plan(args.out / PLAN_NAME)), args.out
    name = args.name or re.sub(r"[^\w.+-]+", "-", pathlib.Path(args.images).stem.split(".")[0]).strip("-.") or "images"
    folder = args.out or pathlib.Path("runs", name)
    protocol = PROTOCOLS[args.protocol]
    source, shape = split(args, protocol)
    model = {
        "method": args.method or "fre",
        "filters": list(PAPER_FILTERS if args.preset == "paper" else SMALL_FILTERS),
        "num_enhanced": args.num_enhanced or protocol.num_enhanced,
        "gain": args.gain or protocol.gain,
        "supervision": args.supervision or protocol.supervision,
        "normalization": args.normalization,
    }
    plan = RunPlan(
        recipe="fre",
        structure=name,
        preset=args.preset if protocol.name == "own" else f"{args.preset}, protocol {protocol.name}",
        data=(source,),
        task=task_of(classes_of(args, protocol), model),
        model=model,
        training=overridden(training_plan(args.preset, source, shape, args.ignore_value), args),
    )
    if TINY:
        plan = tiny(plan)
    if args.resume and (folder / PLAN_NAME).exists():
        known = read_plan(folder / PLAN_NAME)
        if (folder / SEARCH_NAME).exists():  # what it has found so far is not what it began with
            known = dataclasses.replace(known, model=plan.model, task=plan.task)
        if (known.data, known.model, known.task) != (plan.data, plan.model, plan.task):
            raise InputError(f"{folder}: holds a run of other data or settings; choose another --out")
        plan = dataclasses.replace(plan, notices=known.notices)
    return plan, folder


def _resumed(args: argparse.Namespace, plan: RunPlan) -> RunPlan:
    if plan.recipe != "fre":
        raise InputError(f"{args.out}: holds a run of the recipe {plan.recipe}, not of fre; choose another --out")
    return dataclasses.replace(plan, training=overridden(plan.training, args))


def split(args: argparse.Namespace, protocol: Protocol) -> tuple[Source, tuple[int, ...]]:
    """Return the data with what each image is for, and their shape.

    Raises:
        InputError: If they are not what the protocol expects, or too few.
    """
    shape = open_volume(args.images, progress=ProgressLine(f"opening {pathlib.Path(args.images).name}", "bytes")).shape
    count = shape[0]
    wanted = (protocol.images or count, protocol.size_px or shape[1], protocol.size_px or shape[2])
    if shape != wanted:
        raise InputError(
            f"{args.images}: {' x '.join(map(str, shape))} (images, y, x); the protocol {protocol.name} is for "
            f"{' x '.join(map(str, wanted))}; use --protocol own for other data"
        )
    chosen = (args.train_z, args.validation_z, args.test_z)
    if any(chosen):
        if not (args.train_z and args.validation_z):
            raise InputError("give --train-z and --validation-z together, or neither")
        parts = [text or "" for text in chosen]
    else:
        if count < 3:
            raise InputError(f"{args.images}: {count} images; at least 3 are needed to train, choose and score")
        validated = max(1, round(_SPLIT[1] * count))
        trained = min(max(1, round(_SPLIT[0] * count)), count - validated - 1)
        parts = [
            write_slices(range(first, end))
            for first, end in ((0, trained), (trained, trained + validated), (trained + validated, count))
        ]
    train, validation, test = parts
    return Source(tomogram=args.images, mask=args.labels, train=train, validation=validation, test=test), shape


def classes_of(args: argparse.Namespace, protocol: Protocol) -> tuple[str, ...]:
    """Return the names of all classes: as given, as the protocol knows them, or the labels that are found.

    Raises:
        InputError: If the labels can not be read, or are no classes.
    """
    if args.class_names:
        names = tuple(name.strip() for name in args.class_names.split(","))
        if len(names) < 2 or len(set(names)) < len(names) or not all(names):
            raise InputError(f"--class-names {args.class_names!r}; give two or more different names")
        return names
    if protocol.classes:
        return protocol.classes
    from segkit.volumes.label_checks import check_labels

    labels = open_volume(args.labels, progress=ProgressLine(f"opening {pathlib.Path(args.labels).name}", "bytes"))
    found = check_labels(labels, ignore_value=args.ignore_value, progress=ProgressLine("reading the labels", "slices"))
    return ("background", *(f"class-{label}" for label in range(1, found.num_classes)))


def training_plan(preset: str, source: Source, shape: tuple[int, ...], ignore_value: int | None) -> TrainingPlan:
    """Return how a preset trains.

    The paper's: tiles of 256 without overlap, 2000 epochs, the best one kept; it is silent on optimizer, batch and
    augmentation. The small one takes 2000 steps, of a size that falls fast, and flips and turns its tiles.
    """
    shared = {
        "patch_px": 256,
        "stride_px": 256,
        "validation_stride_px": 256,
        "ignore_value": ignore_value,
        "plateau_patience": NEVER,
        "early_stopping_patience": NEVER,
        "l2": 0.0,
    }
    if preset == "paper":
        return TrainingPlan(**shared, batch_size=8, augmentation=NO_AUGMENTATION, epochs=2000, learning_rate=1e-3)
    side = min(256, *(size // _MULTIPLE_PX * _MULTIPLE_PX for size in shape[1:]))  # as patches will shrink
    windows = (len(window_origins(size, side, side)) if side else 1 for size in shape[1:])
    tiles = len(parse_slices(source.train, shape[0])) * math.prod(windows)
    return TrainingPlan(
        **shared,
        batch_size=_SMALL_BATCH,
        augmentation=Augmentation(brightness=0.1, contrast=0.1),
        epochs=max(20, math.ceil(_SMALL_STEPS / math.ceil(tiles / _SMALL_BATCH))),
        learning_rate=2e-3,
        decay=1e-3,
    )


def tiny(plan: RunPlan) -> RunPlan:
    """Return a plan that runs in seconds, to try the commands."""
    size = {"patch_px": 32, "stride_px": 32, "validation_stride_px": 32, "batch_size": 4}
    return dataclasses.replace(
        plan,
        model={**plan.model, "filters": [2, 4, 16], "num_enhanced": 3},
        training=dataclasses.replace(plan.training, **size, epochs=2),
        notices=(*plan.notices, "SEGKIT_TINY_PLAN is set: a tiny network and two epochs. The scores mean nothing."),
    )


def main(argv: Sequence[str]) -> None:
    """Resolve the plan, check it, then train one method or several, or search."""
    args = parse_args(argv)
    max_ram = parse_size(args.max_ram)
    plan, folder = resolve(args)
    mode = resolve_mode(args, folder)
    joining = joins_search(args, mode, folder)
    claim_folder(
        folder,
        resume=args.resume or (joining and (folder / PLAN_NAME).exists()),
        overwrite=args.overwrite,
        keeps_plan=True,
    )
    check_writable(args.saved_models)
    if args.plan_only:
        if args.overwrite:
            remove_run(folder)
        write_plan(plan, folder / PLAN_NAME)
        sys.stderr.write(f"plan: {folder / PLAN_NAME}; start it with --out {folder} --resume\n")
        return
    from recipes.enhancement.network import network  # loads TensorFlow, which --help and mistakes need not wait for
    from segkit.experiments.job import set_up
    from segkit.experiments.training_run import run

    job = set_up(plan, folder, network(plan))
    if not (args.resume or joining):
        if args.overwrite:
            remove_run(folder)
        write_plan(job.plan, folder / PLAN_NAME)
    with whole_file(folder / MODE_NAME, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(mode) + "\n")
    if mode["kind"] == "compare":
        from recipes.enhancement.compare import compare

        compare(job, mode["methods"], range(mode["seeds"]))
        return
    if mode["kind"] in SEARCHES:
        from recipes.enhancement.search import search_settings

        job = search_settings(job, mode.get("trials"))
        if job is None:
            return
    run(job, saved_models=args.saved_models, resume=args.resume or mode["kind"] in SEARCHES, max_ram=max_ram)
    write_plan(job.plan, folder / PLAN_NAME)  # with what was found, or the epochs that a resumed run was given


if __name__ == "__main__":
    sys.exit(run_command(main, when_interrupted="Finished epochs are kept: run the same command with --resume."))
