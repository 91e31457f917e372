"""The ``segkit`` command: predict, evaluate, info, export."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segkit.console import first_given, parse_size, run_command
from segkit.errors import InputError
from segkit.model_path import resolve_model_path
from segkit.progress import ProgressLine
from segkit.volumes.description import describe
from segkit.volumes.files import open_volume
from segkit.volumes.whole_output import whole_file

if TYPE_CHECKING:
    from segkit.evaluation.evaluate_challenge import ChallengeEvaluation
    from segkit.evaluation.evaluation_like import EvaluationLike
    from segkit.tasks.task import Task

# Modules that load TensorFlow are imported by the commands that need it: `segkit info` answers at once.


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="segkit", description="Segment volumes with trained models, and score them.")
    parser.add_argument("--version", action="version", version=f"segkit {importlib.metadata.version('segkit')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="segment a whole volume")
    predict.set_defaults(command=run_predict)
    predict.add_argument(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        metavar="PATH",
        help=".keras files or run folders; several give labels",
    )
    predict.add_argument("--input", required=True, metavar="FILE", help="volume, or folder of slices")
    predict.add_argument("--output", required=True, metavar="FILE", help="its suffix chooses the format")
    predict.add_argument("--threshold", type=float, help="probability above which a voxel is foreground")
    predict.add_argument("--probability", action="store_true", help="write the probability, float32")
    predict.add_argument("--tta", action="store_true", help="average over the eight flips and quarter turns")
    predict.add_argument(
        "--roi", metavar="Z0:Z1,Y0:Y1,X0:X1", help="predict this box only; the rest of the output is background"
    )
    predict.add_argument("--rescale", action="store_true", help="resample to the model's voxel size and back")
    predict.add_argument("--max-ram", metavar="SIZE", help="memory limit, such as 4G")
    predict.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, which share the cores and the memory limit"
    )
    predict.add_argument("--tile", type=int, metavar="PX", help="side of the tiles, halo included")
    predict.add_argument("--halo", type=int, metavar="PX", help="context around a tile")
    predict.add_argument(
        "--match-grey-values",
        action="store_true",
        help="bring mean and deviation of the grey values to those of the training data",
    )
    predict.add_argument("--invert", action="store_true", help="exchange light and dark")
    predict.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    _add_input_choices(predict)
    _add_imports(predict)
    predict.add_argument("--overwrite", action="store_true")

    evaluate = commands.add_parser("evaluate", help="score a mask, labels or a challenge's result against a reference")
    evaluate.set_defaults(command=run_evaluate)
    evaluate.add_argument("--prediction", metavar="FILE")
    evaluate.add_argument("--reference", metavar="FILE")
    evaluate.add_argument("--ctc-result", metavar="FOLDER", help="such as 01_RES of the Cell Tracking Challenge")
    evaluate.add_argument("--ctc-reference", metavar="FOLDER", help="such as 01_GT or 01_ST")
    evaluate.add_argument(
        "--num-parameters", type=int, metavar="N", help="of all networks that made the result, for PESEG"
    )
    evaluate.add_argument(
        "--task", metavar="KIND", help="kind of result: foreground (the default), classes, cells, or a registered one"
    )
    evaluate.add_argument("--slices", metavar="RANGES", help="only these slices, such as 12-15")
    evaluate.add_argument("--label", type=int, metavar="N", help="label of the prediction that counts as foreground")
    evaluate.add_argument(
        "--reference-label", type=int, metavar="N", help="label of the reference that counts as foreground"
    )
    evaluate.add_argument(
        "--all-labels",
        action="store_true",
        help="score every label; both volumes hold the same classes (--task classes)",
    )
    evaluate.add_argument(
        "--instances", action="store_true", help="score objects; both volumes hold ids: SEG, AP (--task cells)"
    )
    evaluate.add_argument("--slice-wise", action="store_true", default=None, help="score objects slice by slice")
    evaluate.add_argument("--ignore-value", type=int, metavar="V", help="reference value of unannotated pixels")
    evaluate.add_argument("--flip-y", action="store_true", help="flip the rows of the reference")
    evaluate.add_argument("--json", metavar="FILE", help="write the scores as JSON; - for standard output")
    evaluate.add_argument("--overwrite", action="store_true", help="replace the JSON file")
    _add_imports(evaluate)

    info = commands.add_parser("info", help="describe a volume")
    info.set_defaults(command=run_info)
    info.add_argument("input", metavar="FILE")
    info.add_argument("--json", action="store_true", help="print JSON")
    _add_input_choices(info)

    export = commands.add_parser("export", help="write a SavedModel for serving")
    export.set_defaults(command=run_export)
    export.add_argument("--model", required=True, metavar="PATH", help=".keras file or run folder")
    export.add_argument("--root", default="saved_models", metavar="FOLDER", help="folder of served models")
    _add_imports(export)
    return parser.parse_args(argv)


def run_predict(args: argparse.Namespace) -> None:
    """Segment a whole volume.

    Raises:
        InputError: If arguments, models and volume do not fit each other, or a file cannot be read or written.
    """
    from segkit.geometry.region import Region
    from segkit.inference.predict_options import PredictOptions

    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected a number of processes, at least 1")

    options = PredictOptions(
        threshold=args.threshold,
        probability=args.probability,
        tta=args.tta,
        roi=Region.parse(args.roi) if args.roi else None,
        max_ram=parse_size(args.max_ram),
        halo_px=args.halo,
        tile_px=args.tile,
        rescale=args.rescale,
        precision=args.precision,
        match_grey_values=args.match_grey_values,
        invert=args.invert,
    )
    input_choices = {"dataset": args.dataset, "channel": args.channel}
    shared = {"overwrite": args.overwrite, "progress": ProgressLine("predicting", "blocks")}
    if args.workers > 1:
        from segkit.inference.engines import Deferred
        from segkit.inference.predict_in_processes import predict_in_processes

        volume = Deferred(open_volume, args.input, **input_choices)
        processes = {"num_workers": args.workers, "modules": args.imports}
        predict_in_processes(args.model, volume, args.output, options, **processes, **shared)
        return
    # Mistakes in paths and region are found before TensorFlow is imported, which takes seconds.
    from segkit.inference.prediction_output import PredictionOutput

    models = [resolve_model_path(path) for path in args.model]
    PredictionOutput(args.output, overwrite=args.overwrite).check()
    volume = open_volume(args.input, progress=ProgressLine("opening", "bytes"), **input_choices)
    if options.roi is not None:
        options.roi.within(volume.shape)
    from segkit.inference.loaded_model import LoadedModel
    from segkit.inference.predict_volume import predict_volume

    predict_volume([LoadedModel.open(path) for path in models], volume, args.output, options, **shared)


def run_evaluate(args: argparse.Namespace) -> None:
    """Score a mask, labels or a challenge's result against a reference.

    Raises:
        InputError: If arguments or volumes do not fit each other, or a file cannot be read or written.
    """
    is_challenge = bool(args.ctc_result or args.ctc_reference)
    given = (args.ctc_result, args.ctc_reference) if is_challenge else (args.prediction, args.reference)
    if not all(given) or (is_challenge and (args.prediction or args.reference)):
        raise InputError("give --prediction and --reference, or --ctc-result and --ctc-reference")
    if is_challenge and (ignored := first_given(args, _OF_VOLUMES)):
        raise InputError(f"{ignored} together with --ctc-result, which is scored whole; leave it out")
    evaluation = evaluate_result(args) if is_challenge else evaluate_prediction(args)
    text = json.dumps(evaluation.to_dict(), indent=2) + "\n"
    if args.json == "-":
        sys.stdout.write(text)
        return
    sys.stdout.write(evaluation.to_table() + "\n")
    if args.json:
        with whole_file(args.json, overwrite=args.overwrite) as unfinished:
            unfinished.write_text(text)


_OF_KINDS = ("label", "reference_label", "slice_wise", "ignore_value")
"""What has a meaning for some kinds of results only."""

_OF_VOLUMES = ("task", "slices", "all_labels", "instances", "flip_y", *_OF_KINDS)
"""What has no meaning for a challenge's result."""


def evaluate_result(args: argparse.Namespace) -> ChallengeEvaluation:
    """Score a sequence in the layout of the Cell Tracking Challenge.

    Raises:
        InputError: If the number of parameters is not positive, or the folders are not of one sequence.
    """
    from segkit.evaluation.evaluate_challenge import evaluate_challenge

    if args.num_parameters is not None and args.num_parameters < 1:
        raise InputError(f"--num-parameters {args.num_parameters}; give the number of parameters, at least 1")
    progress = ProgressLine("scoring", "files")
    return evaluate_challenge(
        args.ctc_result, args.ctc_reference, num_parameters=args.num_parameters, progress=progress
    )


def evaluate_prediction(args: argparse.Namespace) -> EvaluationLike:
    """Score a predicted volume as its kind of result is scored.

    Raises:
        InputError: If arguments or volumes do not fit each other, or a file cannot be read.
    """
    from segkit.data.splits import parse_slices

    kind = chosen_kind(args)
    if "label" in kind.evaluation_settings:
        check_label(args.prediction, args.label)
    prediction = open_volume(args.prediction)
    reference = open_volume(args.reference, flip_y=args.flip_y)
    task = kind.of_reference(reference, ignore_value=args.ignore_value, label_names=label_names(args.prediction))
    given = {name: value for name in kind.evaluation_settings if (value := getattr(args, name, None)) is not None}
    chosen = parse_slices(args.slices, reference.shape[0]) if args.slices else None
    return task.evaluate(prediction, reference, slices=chosen, progress=ProgressLine("scoring", "slices"), **given)


def chosen_kind(args: argparse.Namespace) -> type[Task]:
    """Return the class of the task that a prediction is scored by.

    Raises:
        InputError: If options contradict each other, the kind is unknown, or an option has no meaning for it.
    """
    from segkit.tasks.task import TASKS

    if args.all_labels and (args.label is not None or args.reference_label is not None):
        raise InputError("--all-labels together with a chosen label; give one of them")
    if args.instances and (args.all_labels or {args.label, args.reference_label, args.ignore_value} != {None}):
        raise InputError(
            "--instances together with --all-labels, a label or --ignore-value; objects are all voxels that are not 0"
        )
    shorthand = first_given(args, ("all_labels", "instances"))
    if shorthand and args.task:
        raise InputError(f"{shorthand} together with --task {args.task}; give one of them")
    kind = TASKS.find(args.task or {"--all-labels": "classes", "--instances": "cells"}.get(shorthand, "foreground"))
    if ignored := first_given(args, [name for name in _OF_KINDS if name not in kind.evaluation_settings]):
        raise InputError(f"{ignored} has no meaning for the task {kind.kind!r}; leave it out or choose another --task")
    return kind


def check_label(path: str, label: int | None) -> None:
    """Refuse to guess which label of a label volume is meant, as its legend tells of several.

    Raises:
        InputError: If no label was chosen, or one that the legend does not have.
    """
    from segkit.inference.legend import legend_path, read_legend

    legend = legend_path(path)
    structures = {number: name for number, name in read_legend(legend).items() if number} if legend.exists() else {}
    if len(structures) > 1 and label not in structures:
        known = ", ".join(f"{number} ({name})" for number, name in structures.items())
        chosen = "no label was chosen" if label is None else f"{label} is not in its legend"
        raise InputError(f"{path}: a label volume, and {chosen}; choose with --label one of {known}")


def label_names(path: str) -> list[str] | None:
    """Return the names of all labels from the legend next to a label volume; ``None`` where there is none."""
    from segkit.inference.legend import legend_path, read_legend

    legend = legend_path(path)
    return list(read_legend(legend).values()) if legend.exists() else None


def run_info(args: argparse.Namespace) -> None:
    """Describe a volume."""
    volume = open_volume(args.input, dataset=args.dataset, channel=args.channel)
    description = describe(volume, progress=ProgressLine("reading", "slices"))
    sys.stdout.write((json.dumps(description.to_dict(), indent=2) if args.json else description.to_text()) + "\n")


def run_export(args: argparse.Namespace) -> None:
    """Write a SavedModel for serving."""
    from segkit.export.from_file import export_from_file

    sys.stdout.write(f"{export_from_file(args.model, args.root)}\n")


def main(argv: Sequence[str]) -> None:
    """Run the command that was named."""
    args = parse_args(argv)
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
    sys.exit(run_command(main, when_interrupted="Finished blocks are kept: run the same command again to resume."))


def _add_imports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="Python module that registers a user-defined kind; may be repeated",
    )


def _add_input_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="NAME", help="data set inside an HDF5 file")
    parser.add_argument("--channel", type=int, metavar="N", help="channel, for a file with several")
