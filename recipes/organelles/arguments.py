"""The command line of ``recipes.segET``."""

from __future__ import annotations

import argparse
import difflib
import logging

from recipes.organelles.structures import STRUCTURES
from segkit.errors import InputError
from segkit.experiments.arguments import add_data_arguments, check_reading_arguments
from segkit.experiments.names import check_name

_LOG = logging.getLogger("segkit.run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is segmented, and the data."""
    what = parser.add_argument_group("model")
    what.add_argument("--structure", help=f"{', '.join(STRUCTURES)}, all, or any name of your own together with --mask")
    what.add_argument("--preset", choices=("paper", "demo"), help="default: paper with data, demo without")
    what.add_argument("--init", metavar="FILE", help="start from the weights of this model")
    add_data_arguments(parser)


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together.

    Raises:
        InputError: If one does not.
    """
    if not (args.structure or (args.resume and args.out)):
        raise InputError("nothing to do: give --structure NAME, --plan FILE, or --resume with --out FOLDER")
    check_reading_arguments(args, "--tomogram")
    if args.structure:
        check_name(args.structure, "structure")


def check_structure(name: str) -> None:
    """Refuse the name of a mask that cannot be part of a file name; point at what may be a typo.

    Raises:
        InputError: If the name is not plain.
    """
    check_name(name, "structure")
    if close := meant_structure(name):
        _LOG.warning("warning: %r is taken as a structure of your own; if you mean %r, give that name", name, close)


def meant_structure(name: str) -> str | None:
    """Return the structure of the paper that a name of another one may be a typo of; ``None`` where there is none."""
    if not name or name in STRUCTURES:
        return None
    alike = [known for known in STRUCTURES if known[0] == name[0].lower()]  # or "nucleus" would mean granules
    return next(iter(difflib.get_close_matches(name.lower(), alike, n=1, cutoff=0.65)), None)
