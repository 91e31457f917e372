"""The ``segkit`` command: predict, evaluate, components, train, info, export."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence

from segkit.commands.components import add_components_arguments, run_components
from segkit.commands.evaluate import add_evaluate_arguments, run_evaluate
from segkit.commands.predict import add_predict_arguments, run_predict
from segkit.console import (
    CommandParser,
    add_console_arguments,
    run_command,
    set_console,
)
from segkit.errors import InputError
from segkit.progress import ProgressLine
from segkit.volumes.description import describe
from segkit.volumes.files import open_volume

# Modules that load TensorFlow are imported by the commands that need it: `segkit info` answers at once.


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = CommandParser(prog="segkit", description="Segment volumes with trained models, and score them.")
    parser.add_argument("--version", action="version", version=f"segkit {importlib.metadata.version('segkit')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="segment a whole volume")
    predict.set_defaults(command=run_predict)
    add_predict_arguments(predict)
    _add_input_choices(predict)
    _add_imports(predict)
    predict.add_argument("--overwrite", action="store_true", help="replace the output")

    evaluate = commands.add_parser("evaluate", help="score a mask, labels or a challenge's result against a reference")
    evaluate.set_defaults(command=run_evaluate)
    add_evaluate_arguments(evaluate)
    _add_imports(evaluate)

    components = commands.add_parser("components", help="number the connected components of a mask")
    components.set_defaults(command=run_components)
    add_components_arguments(components)
    _add_input_choices(components)

    # Its arguments are those of the recipe, which reads them itself: see `main`.
    commands.add_parser("train", help="train a network by a recipe: segkit train segET --help", add_help=False)

    info = commands.add_parser("info", help="describe a volume")
    info.set_defaults(command=run_info)
    info.add_argument("input", metavar="FILE")
    info.add_argument("--json", action="store_true", help="print JSON")
    _add_input_choices(info)

    export = commands.add_parser("export", help="write a SavedModel for serving")
    export.set_defaults(command=run_export)
    export.add_argument("--model", required=True, metavar="PATH", help=".keras file or run folder")
    export.add_argument("--root", default="saved_models", metavar="FOLDER", help="root folder of SavedModels")
    _add_imports(export)
    for command in commands.choices.values():
        add_console_arguments(command)
    return parser.parse_args(argv)


def run_info(args: argparse.Namespace) -> None:
    """Describe a volume."""
    volume = open_volume(args.input, dataset=args.dataset, channel=args.channel, unsigned=args.unsigned)
    description = describe(volume, progress=ProgressLine("reading", "slices"))
    sys.stdout.write((json.dumps(description.to_dict(), indent=2) if args.json else description.to_text()) + "\n")


def run_export(args: argparse.Namespace) -> None:
    """Write a SavedModel for serving."""
    from segkit.export.from_file import export_from_file

    sys.stdout.write(f"{export_from_file(args.model, args.root)}\n")


def run_train(words: Sequence[str]) -> None:
    """Run a recipe, one of those that packages register as entry points.

    Args:
        words: Name of the recipe, and its own command line.

    Raises:
        InputError: If there is no such recipe, or as the recipe does.
    """
    recipes = {point.name: point for point in importlib.metadata.entry_points(group="segkit.recipes")}
    listed = ", ".join(sorted(recipes, key=str.lower)) or "none"
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(
            f"usage: segkit train RECIPE ...\n\nrecipes: {listed}\n\nsegkit train RECIPE --help tells more.\n"
        )
        return
    by_lower = {name.lower(): point for name, point in recipes.items()}
    point = by_lower.get(words[0].lower())
    if point is None:
        raise InputError(f"segkit train: no recipe {words[0]!r}; choose one of {listed}")
    point.load()(words[1:])


def main(argv: Sequence[str]) -> None:
    """Run the command that was named."""
    if argv and argv[0] == "train":
        run_train(argv[1:])
        return
    args = parse_args(argv)
    set_console(args)
    import_modules(getattr(args, "imports", ()))
    args.command(args)


def import_modules(names: Sequence[str]) -> None:
    """Import modules that register kinds of tasks or of preprocessing.

    Raises:
        InputError: If one cannot be imported.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as fault:
            raise InputError(
                f"--import {name}: the module cannot be imported ({fault}); give its name without .py, and put its "
                "folder on PYTHONPATH"
            ) from fault


def run() -> None:
    """Run the command and end the process with its exit status."""
    is_training = sys.argv[1:2] == ["train"]
    kept = "Epochs that were finished, if any," if is_training else "Finished blocks"
    again = "" if is_training else ": run the same command again to resume"
    sys.exit(run_command(main, when_interrupted=f"{kept} are kept{again}."))


def _add_imports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="Python module that registers a task or preprocessing; may be repeated",
    )


def _add_input_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="NAME", help="dataset inside an HDF5 file")
    parser.add_argument("--channel", type=int, metavar="N", help="channel, for a file with several")
    parser.add_argument(
        "--unsigned",
        action=argparse.BooleanOptionalAction,
        help="bytes of MRC mode 0 are unsigned (or signed), whatever the header says",
    )


if __name__ == "__main__":
    run()
