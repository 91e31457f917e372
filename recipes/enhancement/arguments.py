"""The command line of ``recipes.fre``."""

from __future__ import annotations

import argparse
import math

from recipes.enhancement.protocols import PROTOCOLS
from segkit.errors import InputError
from segkit.experiments.arguments import check_reading_arguments
from segkit.experiments.enhancement_methods import METHODS
from segkit.experiments.image_arguments import add_image_arguments
from segkit.experiments.modes import searching
from segkit.experiments.names import check_name

_OF_THE_MODEL = ("method", "num_enhanced", "gain", "supervision")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add data, and the choices of the paper's settings."""
    data = add_image_arguments(parser)
    data.add_argument("--protocol", choices=tuple(PROTOCOLS), default="own", help="a data set of the paper")
    what = parser.add_argument_group("model")
    what.add_argument("--method", choices=tuple(METHODS), help="default: fre")
    what.add_argument("--num-enhanced", type=int, metavar="B", help="number of feature maps to enhance")
    what.add_argument("--gain", type=float, metavar="X", help="factor that they are multiplied by")
    what.add_argument("--supervision", type=float, metavar="LAMBDA", help="weight of the second head's loss")
    what.add_argument(
        "--normalization", choices=("batch", "renorm"), default="batch", help="normalisation layers (default: batch)"
    )
    what.add_argument(
        "--preset", choices=("small", "paper"), default="small", help="size of network and training (default: small)"
    )


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if not (args.images and args.labels) and not (args.resume and args.out):
        raise InputError("no data: give both --images FILE and --labels FILE, or --resume with --out FOLDER")
    check_reading_arguments(args, "--images")
    if args.compare and args.method:
        raise InputError("--method cannot be combined with --compare; choose what to compare with --methods")
    if searching(args) and not METHODS[args.method or "fre"].searched:
        fitting = ", ".join(method.name for method in METHODS.values() if method.searched)
        raise InputError(f"--method {args.method} has nothing to search for; choose one of {fitting}")
    if searching(args) and any(getattr(args, name) is not None for name in METHODS[args.method or "fre"].searched):
        raise InputError(
            "--num-enhanced, --gain or --supervision cannot be combined with a search for it; leave one of them out"
        )
    if not args.images and any(getattr(args, name) is not None for name in _OF_THE_MODEL):
        raise InputError(
            "--method, --num-enhanced, --gain or --supervision without --images; the plan of the resumed run holds them"
        )
    if args.gain is not None and not 0 < args.gain < math.inf:
        raise InputError(f"--gain {args.gain:g}; give a positive, finite factor")
    if args.num_enhanced is not None and args.num_enhanced < 1:
        raise InputError(f"--num-enhanced {args.num_enhanced}; give at least 1")
    if args.supervision is not None and not 0 < args.supervision < 1:
        raise InputError(f"--supervision {args.supervision:g}; give a fraction between 0 and 1")
    if args.name:
        check_name(args.name, "--name")
