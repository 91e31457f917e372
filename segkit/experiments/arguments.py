"""Arguments that every recipe on labeled tomograms takes, and what they mean."""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Sequence

from segkit.data.sources import Source, painted_slices, split_by_hold_out, write_slices
from segkit.data.splits import parse_slices
from segkit.data.strokes import UNPAINTED
from segkit.errors import InputError
from segkit.experiments.plan import RunPlan
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.preprocessing.standardize_each import StandardizeEach
from segkit.progress import ProgressLine
from segkit.training.plan import PRECISIONS, TrainingPlan
from segkit.volumes.checks import check_annotation_file


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add tomograms, masks, and which slices are held out."""
    data = parser.add_argument_group("data")
    data.add_argument("--tomogram", action="append", default=[], metavar="FILE", help="may be given several times")
    data.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="one per tomogram (and structure), in order",
    )
    data.add_argument("--validation-tomogram", metavar="FILE", help="separate tomogram for validation")
    data.add_argument(
        "--validation-mask", action="append", default=[], metavar="[NAME=]FILE", help="mask of that tomogram"
    )
    data.add_argument(
        "--hold-out-every",
        type=int,
        default=5,
        metavar="N",
        help="hold out slices 0, N, 2N, ... for validation (default: 5)",
    )
    add_slice_arguments(data)
    data.add_argument("--flip-y", action="store_true", help="flip the masks in y")
    add_reading_arguments(data)
    data.add_argument("--ignore-value", type=int, metavar="V", help="mask value of unannotated pixels")
    add_annotation_argument(data)
    add_normalization_argument(data)


def add_reading_arguments(group: argparse._ArgumentGroup) -> None:
    """Add which channel of the images is read, and how their bytes are."""
    group.add_argument("--channel", type=_channel, metavar="N", help="channel, for images with several, from 0 on")
    group.add_argument(
        "--unsigned",
        action=argparse.BooleanOptionalAction,
        help="bytes of images in MRC mode 0 are unsigned (or signed), whatever the header says",
    )


def check_reading_arguments(args: argparse.Namespace, option: str) -> None:
    """Refuse what says how images are read where there are none.

    Args:
        args: The command line.
        option: The option that names images, such as ``--images``.

    Raises:
        InputError: If there are none.
    """
    if getattr(args, option.removeprefix("--")):
        return
    given = {"channel": args.channel is not None, "unsigned": args.unsigned, "no-unsigned": args.unsigned is False}
    for name in (name for name, is_given in given.items() if is_given):
        raise InputError(f"--{name} without {option}; leave it out")


def _channel(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; give a whole number from 0 on")
    return int(text)


def add_annotation_argument(group: argparse._ArgumentGroup) -> None:
    """Add how much of a volume is annotated."""
    group.add_argument(
        "--annotation",
        choices=("complete", "slices", "strokes"),
        default="complete",
        help="unpainted voxels are background (complete, the default), background in painted slices (slices) or "
        "unannotated (strokes: 1 is background, 2 the structure, or 1, 2, 3, ... the classes)",
    )


def settle_annotation(args: argparse.Namespace) -> None:
    """Let what strokes leave out count as unannotated.

    Raises:
        InputError: If another value is to count as such.
    """
    if getattr(args, "annotation", None) != "strokes":
        return
    if args.ignore_value is not None:
        raise InputError(
            "--ignore-value cannot be combined with --annotation strokes, where 0 is unannotated; leave it out"
        )
    args.ignore_value = UNPAINTED


def annotated_slices(args: argparse.Namespace, path: str, count: int) -> Sequence[int]:
    """Return the slices of an annotation that may be used: all if it is complete, else those with anything painted.

    Raises:
        InputError: If nothing is painted.
    """
    if args.annotation == "complete":
        return range(count)
    progress = ProgressLine(f"looking for painted slices of {pathlib.Path(path).name}", "slices")
    return painted_slices(path, ignore_value=args.ignore_value, progress=progress)


def add_normalization_argument(group: argparse._ArgumentGroup) -> None:
    """Add how grey values are brought to one scale."""
    group.add_argument(
        "--normalize",
        choices=("run", "volume", "slice"),
        help="normalise grey values over all training slices (run, the default), per volume or per slice",
    )


def normalization(args: argparse.Namespace) -> Preprocessing:
    """Return the preprocessing that ``--normalize`` stands for; by default one scale for the run."""
    chosen = getattr(args, "normalize", None) or "run"
    return Standardize() if chosen == "run" else StandardizeEach(per=chosen)


def add_slice_arguments(group: argparse._ArgumentGroup) -> None:
    """Add which slices are used for what."""
    group.add_argument("--train-z", metavar="RANGES", help="train on these slices, counted from 0, such as 0-9")
    group.add_argument("--validation-z", metavar="RANGES", help="validation slices: they choose the checkpoint")
    group.add_argument("--test-z", metavar="RANGES", help="test slices: scored at the end, used for nothing else")


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what overrides the plan's training."""
    training = parser.add_argument_group("training (each overrides the preset)")
    training.add_argument("--epochs", type=int, metavar="N", help="passes over the training patches, at most")
    training.add_argument("--learning-rate", type=float, metavar="RATE", help="step size at the start")
    training.add_argument("--batch-size", type=int, metavar="N", help="patches per step")
    training.add_argument(
        "--elastic",
        type=float,
        metavar="PX",
        help="elastic deformation of training patches: standard deviation of the displacement (default: 0)",
    )
    training.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="arithmetic; auto is bfloat16 where the processor computes with it",
    )
    training.add_argument("--seed", type=int, help="of weights, order and augmentation (default: 0)")
    training.add_argument(
        "--deterministic", action="store_true", default=None, help="the same result in every run, but slower"
    )


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where the run is written, and whether existing files may be replaced."""
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="run folder (runs/<name>)")
    output.add_argument(
        "--saved-models",
        type=pathlib.Path,
        metavar="FOLDER",
        help="root folder of SavedModels (default: saved_models, or that of the run that is resumed)",
    )
    output.add_argument(
        "--no-export", action="store_true", help="write no SavedModel for serving, nor when the run is resumed"
    )
    output.add_argument(
        "--folds", type=int, metavar="K", help="cross-validation: K runs, each scored on another part of the data"
    )
    output.add_argument("--resume", action="store_true", help="resume the run in the folder")
    output.add_argument("--overwrite", action="store_true", help="replace the run in the folder")
    output.add_argument("--plan-only", action="store_true", help="write plan.json and stop, so that it can be edited")
    output.add_argument(
        "--plan", type=pathlib.Path, metavar="FILE", help="run this plan.json; training arguments override it"
    )
    output.add_argument("--max-ram", metavar="SIZE", help="memory limit while predicting, such as 4G")


def masks_by_structure(texts: Sequence[str], args: argparse.Namespace) -> dict[str, list[str]]:
    """Return the mask files of every structure from ``[NAME=]FILE``, in the order given.

    Raises:
        InputError: If a mask lacks the name of its structure, or has that of another one.
    """
    masks: dict[str, list[str]] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        # A file name may hold "=" itself.
        if not equals or pathlib.Path(text).exists():
            name, path = args.structure, text
        if name == "all":
            raise InputError(f"mask {text!r}: with --structure all write NAME=FILE, such as golgi=G.mrc")
        if args.structure not in (name, "all"):
            raise InputError(f"mask {text!r}: its name is not --structure {args.structure}; give one of them")
        masks.setdefault(name, []).append(path)
    return masks


def labeled(args: argparse.Namespace, name: str, masks: Sequence[str], validation_masks: Sequence[str]) -> list[Source]:
    """Return the sources of one structure with their slices.

    Raises:
        InputError: If there is not one mask per tomogram, a mask is its tomogram or of another shape, only one of the
            two ranges of slices is given, or a range cannot be read, reaches outside a volume, or overlaps another one.
    """
    if len(masks) != len(args.tomogram):
        raise InputError(
            f"{name}: {len(masks)} masks for {len(args.tomogram)} tomograms; give one --mask per --tomogram, in order"
        )
    sources = [
        Source(tomogram=tomogram, mask=mask, flip_y=args.flip_y, channel=args.channel, unsigned=args.unsigned)
        for tomogram, mask in zip(args.tomogram, masks, strict=True)
    ]
    counts = [_count_slices(source) for source in sources]
    _refuse_what_would_be_ignored(args)
    annotated = [annotated_slices(args, source.mask, count) for source, count in zip(sources, counts, strict=True)]
    if args.annotation != "complete":
        for source, count, slices in zip(sources, counts, annotated, strict=True):
            check_annotated(args, slices, source.mask, count)
        in_part = {"annotated_in_part": True, "strokes": args.annotation == "strokes"}
        sources = [dataclasses.replace(source, **in_part) for source in sources]
    # A tomogram of its own for validation, slices that were named, or every N-th slice held out.
    if args.validation_tomogram:
        if len(validation_masks) != 1:
            raise InputError(f"{name}: give one --validation-mask with --validation-tomogram")
        other = dataclasses.replace(sources[0], tomogram=args.validation_tomogram, mask=validation_masks[0])
        held_out = dataclasses.replace(
            other,
            validation=write_slices(annotated_slices(args, validation_masks[0], _count_slices(other))),
        )
        train = [
            dataclasses.replace(
                source,
                train=args.train_z or without(write_slices(slices), args.test_z, count),
                test=args.test_z or "",
            )
            for source, count, slices in zip(sources, counts, annotated, strict=True)
        ]
        return [*_checked(train, counts), held_out]
    if args.train_z or args.validation_z:
        if not (args.train_z and args.validation_z):
            raise InputError("give --train-z and --validation-z together, or neither for every fifth slice held out")
        chosen = {"train": args.train_z, "validation": args.validation_z, "test": args.test_z or ""}
        return _checked([dataclasses.replace(source, **chosen) for source in sources], counts)
    held_out = split_by_hold_out(sources, annotated, args.hold_out_every)
    return [
        dataclasses.replace(
            source,
            train=without(source.train, args.test_z, count),
            validation=without(source.validation, args.test_z, count),
            test=args.test_z or "",
        )
        for source, count in zip(held_out, counts, strict=True)
    ]


def _checked(sources: list[Source], counts: Sequence[int]) -> list[Source]:
    """Return sources of which no slice is outside its volume or used twice; found before Keras is loaded."""
    for source, count in zip(sources, counts, strict=True):
        source.split(count)
    return sources


def without(slices: str, left_out: str | None, count: int) -> str:
    """Return slices less those that are left out, written as ``write_slices`` does.

    Example:
        >>> without("0-9", "2-3", 10)
        '0-1,4-9'
    """
    if not left_out:
        return slices
    return write_slices(sorted(set(parse_slices(slices, count)) - set(parse_slices(left_out, count))))


def _count_slices(source: Source) -> int:
    """Return the number of slices of a source; refuses a mask that cannot be its own before Keras is loaded."""
    tomogram, mask = (
        open_it(progress=ProgressLine(f"opening {pathlib.Path(path).name}", "bytes"))
        for open_it, path in ((source.open_tomogram, source.tomogram), (source.open_mask, source.mask))
    )
    check_annotation_file(mask, tomogram)
    return tomogram.shape[0]


def check_annotated(args: argparse.Namespace, annotated: Sequence[int], path: str, count: int) -> None:
    """Refuse slices that were chosen and are not annotated.

    Raises:
        InputError: If there is one.
    """
    chosen = [text for text in (args.train_z, args.validation_z, args.test_z) if text]
    if unpainted := sorted({z for text in chosen for z in parse_slices(text, count)} - {*annotated}):
        raise InputError(
            f"{path}: slice {unpainted[0]} was chosen, but nothing is painted on it; choose others, or leave out "
            f"--annotation {args.annotation}"
        )


def _refuse_what_would_be_ignored(args: argparse.Namespace) -> None:
    if args.validation_mask and not args.validation_tomogram:
        raise InputError("--validation-mask without --validation-tomogram; give both, or neither")
    if args.validation_tomogram and args.validation_z:
        raise InputError(
            "--validation-z cannot be combined with --validation-tomogram, which is used whole; give one of them"
        )
    if args.validation_tomogram in args.tomogram:
        raise InputError(f"{args.validation_tomogram}: used for both training and validation; give another tomogram")


def overridden_plan(plan: RunPlan, args: argparse.Namespace) -> RunPlan:
    """Return the plan of a run with the settings of the command line applied."""
    plan = dataclasses.replace(plan, training=overridden(plan.training, args))
    return dataclasses.replace(plan, preprocessing=normalization(args)) if getattr(args, "normalize", None) else plan


def overridden(plan: TrainingPlan, args: argparse.Namespace) -> TrainingPlan:
    """Return a plan with the settings of the command line applied.

    Raises:
        InputError: If a setting is out of its range.
    """
    names = ("epochs", "learning_rate", "batch_size", "precision", "seed", "deterministic")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.elastic is not None:
        if not 0 <= args.elastic < math.inf:
            raise InputError(f"--elastic {args.elastic:g}: expected a standard deviation [px], 0 or more")
        given["augmentation"] = dataclasses.replace(plan.augmentation, elastic_px=args.elastic)
    return dataclasses.replace(plan, **given)
