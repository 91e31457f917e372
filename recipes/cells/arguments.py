"""The command line of ``recipes.efficientcellseg``."""

from __future__ import annotations

import argparse
import math
import pathlib
import re
from collections.abc import Sequence

from recipes.cells.protocols import PROTOCOLS
from segkit.console import first_given
from segkit.errors import InputError
from segkit.experiments.arguments import add_output_arguments, add_slice_arguments, add_training_arguments
from segkit.instances.instance_settings import METHODS
from segkit.preprocessing.colorings import COLORINGS

NAME = r"[\w][\w .+-]*"
"""What a run may be named."""


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m recipes.efficientcellseg",
        description="Train EfficientCellSeg, tell the cells of a stack apart, score, export, report.",
    )
    data = parser.add_argument_group("data")
    data.add_argument("--images", metavar="PATH", help="stack, or folder of stacks")
    data.add_argument("--labels", metavar="PATH", help="ids of the cells: a stack, or a folder with the same names")
    data.add_argument("--ctc", type=pathlib.Path, metavar="FOLDER", help="data set of the Cell Tracking Challenge")
    data.add_argument("--sequence", metavar="NN", help="sequence of the data set (01)")
    data.add_argument("--test-sequence", metavar="NN", help="score this sequence, and train on the other alone")
    data.add_argument("--reference", choices=("GT", "ST"), help="annotations of the data set (GT)")
    data.add_argument("--name", help="names the run and the served model (the run folder's name, or cells)")
    add_slice_arguments(data)
    data.add_argument("--protocol", choices=tuple(PROTOCOLS), default="own", help="a data set of the paper's")
    what = parser.add_argument_group("what")
    what.add_argument("--preset", choices=("paper", "small"), help="paper with data, small without, if not given")
    what.add_argument("--instances", choices=METHODS, help="how cells are told apart (distance)")
    what.add_argument("--seed-distance", type=float, metavar="PX", help="centres closer than this are one cell's")
    what.add_argument("--smoothing", type=float, metavar="PX", help="how much the distance is smoothed before")
    what.add_argument("--min-depth", type=float, metavar="S", help="least narrowing that cuts a cell in two (0.05)")
    what.add_argument("--min-size", type=int, metavar="VOXELS", help="smaller objects are left out")
    what.add_argument("--slice-wise", action="store_true", help="tell cells apart slice by slice, then join slices")
    what.add_argument("--coloring", choices=tuple(COLORINGS), help="what slices tell of neighbours (pseudocolor)")
    what.add_argument("--expected-share", type=float, metavar="S", help="of rough masks; twice the cells' share")
    what.add_argument("--size", type=int, metavar="PX", help="side that slices are resized to")
    what.add_argument("--windows", metavar="Y,X", help="cut slices into squares, such as 2,3, and resize each")
    what.add_argument("--encoder", help="efficientnet_b5, efficientnet_b0 or efficientnet_v2s")
    what.add_argument("--encoder-weights", metavar="W", help="imagenet, none or a file; imagenet if it is at hand")
    what.add_argument("--freeze-encoder", action="store_true", help="train the decoder alone")
    what.add_argument("--decoder-filters", metavar="A,B,C,D", help="of its blocks, the coarsest first (64,48,32,16)")
    what.add_argument("--ablation", action="store_true", help="train the models of the paper's ablation instead")
    what.add_argument("--models", metavar="A,B,...", help="models of the ablation (1,2,3,3r,4,5; also 4r,4p,5r)")
    add_training_arguments(parser)
    add_output_arguments(parser)
    args = parser.parse_args(argv)
    check_choices(args)
    return args


def check_choices(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if bool(args.images) != bool(args.labels):
        raise InputError("give --images and --labels together, or neither for simulated stacks")
    if args.models and not (args.ablation or args.resume):
        raise InputError("--models without --ablation; give both")
    chosen = args.instances or args.coloring not in (None, "pseudocolor") or args.decoder_filters
    if args.ablation and (chosen or args.freeze_encoder):
        raise InputError(
            "--ablation beside --instances, --coloring, --decoder-filters or --freeze-encoder; it compares masks, and "
            "chooses the rest"
        )
    if args.ctc and args.images:
        raise InputError("--ctc beside --images; give one of them")
    if (args.sequence or args.test_sequence or args.reference) and not args.ctc:
        raise InputError("--sequence, --test-sequence or --reference without --ctc; give the folder of the data set")
    if args.test_sequence and args.test_sequence == (args.sequence or "01"):
        raise InputError(f"--test-sequence {args.test_sequence} is trained on; give another")
    if args.resume and (given := first_given(args, _OF_THE_PLAN)):
        raise InputError(f"{given} beside --resume; the run in the folder has its own")
    if args.seed is not None and args.seed < 0:
        raise InputError(f"--seed {args.seed}; give 0 or more")
    if (args.train_z or args.validation_z or args.test_z) and not (args.images or args.ctc):
        raise InputError("--train-z, --validation-z or --test-z without --images or --ctc; give a stack")
    if args.name and not re.fullmatch(NAME, args.name):
        raise InputError(f"--name {args.name!r}: it becomes part of file names; use letters, digits, - and _")
    if args.expected_share is not None and not 0 < args.expected_share <= 1:
        raise InputError(f"--expected-share {args.expected_share:g}; give a share above 0, at most 1")
    if args.min_depth is not None and not 0 <= args.min_depth < 1:
        raise InputError(f"--min-depth {args.min_depth:g}; give a share from 0 to below 1")
    for name in ("seed_distance", "smoothing", "min_size"):
        if (value := getattr(args, name)) is not None and not 0 <= value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} {value:g}; give 0 or more")
    if args.size is not None and (args.size < 32 or args.size % 32):
        raise InputError(f"--size {args.size}; give a multiple of 32")
    for name, count in (("windows", 2), ("decoder_filters", 4)):
        if (text := getattr(args, name)) is not None:
            setattr(args, name, whole_numbers(text, count, f"--{name.replace('_', '-')}"))


_OF_THE_PLAN = (
    *("images", "labels", "ctc", "sequence", "test_sequence", "reference", "name", "train_z", "validation_z", "test_z"),
    *("preset", "instances", "seed_distance", "smoothing", "min_depth", "min_size", "slice_wise"),
    *("coloring", "expected_share"),
    *("size", "windows", "encoder", "encoder_weights", "freeze_encoder", "decoder_filters", "ablation"),
)
"""What a resumed run takes from its folder."""


def whole_numbers(text: str, count: int, name: str) -> tuple[int, ...]:
    """Return positive numbers written with commas.

    Raises:
        InputError: If they are others, or not so many.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or min(numbers) < 1:
        raise InputError(f"{name} {text!r}; give {count} positive whole numbers with commas between them")
    return numbers
