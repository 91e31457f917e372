"""The command line of ``recipes.efficientcellseg``."""

from __future__ import annotations

import argparse
import math

from recipes.cells.protocols import PROTOCOLS
from segkit.console import first_given, whole_numbers
from segkit.errors import InputError
from segkit.experiments.stack_arguments import STACK_ARGUMENTS, add_stack_arguments, check_stack_arguments
from segkit.instances.instance_settings import METHODS
from segkit.preprocessing.colorings import COLORINGS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add data, and the choices of the paper's settings."""
    data = add_stack_arguments(parser)
    data.add_argument("--protocol", choices=tuple(PROTOCOLS), default="own", help="a data set of the paper")
    what = parser.add_argument_group("model")
    what.add_argument("--preset", choices=("paper", "small"), help="default: paper with data, small without")
    what.add_argument("--instances", choices=METHODS, help="how cells are separated (default: distance)")
    what.add_argument("--seed-distance", type=float, metavar="PX", help="centres closer than this belong to one cell")
    what.add_argument(
        "--smoothing", type=float, metavar="PX", help="standard deviation of the Gaussian that smooths the distance map"
    )
    what.add_argument(
        "--min-depth", type=float, metavar="S", help="cut cells only where they narrow by this fraction (default: 0.05)"
    )
    what.add_argument("--min-size", type=int, metavar="VOXELS", help="smaller objects are left out")
    what.add_argument("--slice-wise", action="store_true", help="separate cells slice by slice, then join slices")
    what.add_argument(
        "--coloring", choices=COLORINGS.names(), help="how a slice shows its neighbours (default: pseudocolor)"
    )
    what.add_argument(
        "--expected-share",
        type=float,
        metavar="S",
        help="fraction of voxels in rough masks (default: twice that of cells)",
    )
    what.add_argument("--size", type=int, metavar="PX", help="side of the resized slices")
    what.add_argument("--windows", metavar="Y,X", help="cut slices into squares, such as 2,3, and resize each")
    what.add_argument("--encoder", help="efficientnet_b5, efficientnet_b0 or efficientnet_v2s")
    what.add_argument("--encoder-weights", metavar="W", help="imagenet, none or a file (imagenet if available)")
    what.add_argument("--freeze-encoder", action="store_true", help="train the decoder only")
    what.add_argument(
        "--decoder-filters", metavar="A,B,C,D", help="filters of its blocks, the coarsest first (default: 64,48,32,16)"
    )


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    chosen = args.instances or args.coloring not in (None, "pseudocolor") or args.decoder_filters
    if args.ablation and (chosen or args.freeze_encoder):
        raise InputError(
            "--ablation cannot be combined with --instances, --coloring, --decoder-filters or --freeze-encoder; the "
            "ablation compares masks and sets these itself"
        )
    check_stack_arguments(args)
    if args.resume and (given := first_given(args, _OF_THE_PLAN)):
        raise InputError(f"{given} cannot be combined with --resume; leave it out, the run in the folder has its own")
    if args.seed is not None and args.seed < 0:
        raise InputError(f"--seed {args.seed}; give 0 or more")
    if args.expected_share is not None and not 0 < args.expected_share <= 1:
        raise InputError(f"--expected-share {args.expected_share:g}; give a fraction above 0, at most 1")
    if args.min_depth is not None and not 0 <= args.min_depth < 1:
        raise InputError(f"--min-depth {args.min_depth:g}; give a fraction from 0 to below 1")
    for name in ("seed_distance", "smoothing", "min_size"):
        if (value := getattr(args, name)) is not None and not 0 <= value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} {value:g}; give 0 or more")
    if args.encoder is not None:
        # Loads Keras, which --help and other mistakes need not wait for.
        from recipes.cells.network import check_encoder

        check_encoder(args.encoder)
    if args.size is not None and (args.size < 32 or args.size % 32):
        raise InputError(f"--size {args.size}; give a multiple of 32")
    for name, count in (("windows", 2), ("decoder_filters", 4)):
        if (text := getattr(args, name)) is not None:
            setattr(args, name, whole_numbers(text, count, f"--{name.replace('_', '-')}"))


_OF_THE_PLAN = (
    *STACK_ARGUMENTS,
    *("preset", "instances", "seed_distance", "smoothing", "min_depth", "min_size", "slice_wise"),
    *("coloring", "expected_share"),
    *("size", "windows", "encoder", "encoder_weights", "freeze_encoder", "decoder_filters", "ablation"),
)
"""What a resumed run takes from its folder."""
