"""Arguments that every recipe on labeled stacks of objects takes, and what they mean."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

from segkit.console import first_given
from segkit.data.challenge_stacks import challenge_stacks, write_labels
from segkit.data.labeled_stacks import LabeledStack, painted_only, paired_stacks
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.arguments import add_reading_arguments, add_slice_arguments, check_reading_arguments
from segkit.experiments.demo_cells import SIMULATED
from segkit.experiments.folder import ANNOTATED_NAME
from segkit.experiments.names import check_name, is_plain_name
from segkit.experiments.plan import RunPlan
from segkit.experiments.stack_sources import sources_of
from segkit.volumes.challenge import is_sequence

STACK_ARGUMENTS = (
    *(
        "images",
        "labels",
        "ctc",
        "sequence",
        "test_sequence",
        "reference",
        "name",
        "flip_y",
        "channel",
        "unsigned",
        "annotation",
        "ignore_value",
        "train_z",
        "validation_z",
        "test_z",
    ),
)
"""Names of the values, for a recipe whose resumed runs take them from their folder."""


def add_stack_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add stacks with labels, data sets of the Cell Tracking Challenge, and which slices are for what."""
    data = parser.add_argument_group("data")
    data.add_argument("--images", metavar="PATH", help="stack, or folder of stacks")
    data.add_argument("--labels", metavar="PATH", help="ids of the cells: a stack, or a folder with the same names")
    data.add_argument("--ctc", type=pathlib.Path, metavar="FOLDER", help="data set of the Cell Tracking Challenge")
    data.add_argument("--sequence", metavar="NN", help="sequence of the data set (default: 01)")
    data.add_argument("--test-sequence", metavar="NN", help="score this sequence and train only on the other")
    data.add_argument("--reference", choices=("GT", "ST"), help="annotations of the data set (default: GT)")
    data.add_argument("--name", help="names the run and the served model (the run folder's name, or cells)")
    data.add_argument("--flip-y", action="store_true", help="flip the labels in y")
    add_reading_arguments(data)
    data.add_argument(
        "--annotation",
        choices=("complete", "slices"),
        help="slices without a cell are background (complete, the default) or unannotated (slices)",
    )
    data.add_argument("--ignore-value", type=int, metavar="V", help="label of unannotated pixels")
    add_slice_arguments(data)
    return data


def check_stack_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments of data that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if args.ctc and (given := first_given(args, ("images", "labels"))):
        raise InputError(f"--ctc cannot be combined with {given}; give one of them")
    if bool(args.images) != bool(args.labels):
        raise InputError("give --images and --labels together, or neither for simulated stacks")
    if (args.sequence or args.test_sequence or args.reference) and not args.ctc:
        raise InputError("--sequence, --test-sequence or --reference without --ctc; give the folder of the data set")
    if args.test_sequence and args.test_sequence == (args.sequence or "01"):
        raise InputError(f"--test-sequence {args.test_sequence} is trained on; give another")
    if (args.train_z or args.validation_z or args.test_z) and not (args.images or args.ctc):
        raise InputError("--train-z, --validation-z or --test-z without --images or --ctc; give a stack")
    if args.flip_y and not args.images:
        raise InputError("--flip-y without --images; leave it out")
    if args.annotation and not args.images:
        raise InputError("--annotation without --images; leave it out, a data set of the challenge tells what it holds")
    if args.ignore_value is not None and not args.images:
        raise InputError("--ignore-value without --images; leave it out")
    if args.ignore_value == 0:
        raise InputError("--ignore-value 0, which is the background; give another value")
    check_reading_arguments(args, "--images")
    if args.name:
        check_name(args.name, "--name")


def run_name(args: argparse.Namespace, default: str) -> str:
    """Return the name of what is segmented: as given, or the run folder's; ``default`` where there is neither."""
    if args.name or args.out is None:
        return args.name or default
    return args.out.name if is_plain_name(args.out.name) else "cells"


def sequences_of(args: argparse.Namespace, plan: RunPlan | None = None) -> list[pathlib.Path]:
    """Return the folders of images of the challenge that are trained on or scored.

    Args:
        args: The command line.
        plan: The plan that it starts; where it was read from a file (``--plan``), it tells the folders.
    """
    if args.plan and plan is not None:
        if SIMULATED in plan.notices:
            return []
        images = [pathlib.Path(source.tomogram) for source in plan.data]
        return [folder for folder in dict.fromkeys(path.parent for path in images) if is_sequence(folder)]
    names = (args.sequence or "01", args.test_sequence)
    return [args.ctc / name for name in names if name] if args.ctc else []


def labeled_stacks(
    args: argparse.Namespace, folder: pathlib.Path
) -> tuple[tuple[Source, ...], list[str], Callable[[], None]]:
    """Return what each stack is for, what a reader of the results must know, and what writes the labels still missing.

    Args:
        args: The command line.
        folder: Run folder; frames of which single slices are annotated get their labels as one stack in it.

    Raises:
        InputError: If there is no stack, labels are missing or do not fit, or there are too few.
    """
    tests: list[LabeledStack] = []
    if args.ctc:
        found = [
            challenge_stacks(args.ctc, path.name, folder / ANNOTATED_NAME / path.name, reference=args.reference or "GT")
            for path in sequences_of(args)
        ]
        stacks, tests = found[0], found[1] if len(found) > 1 else []
    else:
        stacks = paired_stacks(args.images, args.labels, channel=args.channel)
        if args.annotation == "slices":
            stacks = [painted_only(stack, args.ignore_value) for stack in stacks]
    sources = sources_of(stacks, tests=tests, train_z=args.train_z, validation_z=args.validation_z, test_z=args.test_z)
    reading = {"flip_y": args.flip_y, "channel": args.channel, "unsigned": args.unsigned}
    sources = tuple(dataclasses.replace(source, **reading) for source in sources)
    notices = []
    if args.ctc and len(stacks) > 1 and not tests:
        notices.append(
            "Frames of one sequence show the same cells, so the scored cells were also seen in training, at other "
            "time points; --test-sequence scores another sequence."
        )
    if single := sum(stack.count == 1 for stack in stacks):
        notices.append(
            f"{single} of {len(stacks)} images are a single slice: each is treated as a stack of one slice with "
            "black neighbours."
        )
    return sources, notices, functools.partial(_write_all, (*stacks, *tests))


def _write_all(stacks: Sequence[LabeledStack]) -> None:
    for stack in stacks:
        write_labels(stack)
