"""The ``segkit`` command: predict, evaluate, info, export."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segkit.console import first_given, parse_size, run_command
from segkit.errors import InputError
from segkit.progress import ProgressLine
from segkit.volumes.description import describe
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import whole_file

if TYPE_CHECKING:
    from segkit.evaluation.evaluate_challenge import ChallengeEvaluation
    from segkit.evaluation.evaluate_classes import ClassEvaluation
    from segkit.evaluation.evaluate_instances import InstanceEvaluation
    from segkit.evaluation.evaluate_volumes import Evaluation

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
    predict.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    _add_input_choices(predict)
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
    evaluate.add_argument("--slices", metavar="RANGES", help="only these slices, such as 12-15")
    evaluate.add_argument("--label", type=int, metavar="N", help="label of the prediction that counts as foreground")
    evaluate.add_argument(
        "--all-labels", action="store_true", help="score every label; both volumes hold the same classes"
    )
    evaluate.add_argument("--instances", action="store_true", help="score objects; both volumes hold ids (SEG, AP)")
    evaluate.add_argument("--slice-wise", action="store_true", help="score objects slice by slice")
    evaluate.add_argument("--reference-label", type=int, metavar="N", help="the same for the reference")
    evaluate.add_argument("--ignore-value", type=int, metavar="V", help="reference value of unannotated pixels")
    evaluate.add_argument("--flip-y", action="store_true", help="flip the rows of the reference")
    evaluate.add_argument("--json", metavar="FILE", help="write the scores as JSON; - for standard output")
    evaluate.add_argument("--overwrite", action="store_true", help="replace the JSON file")

    info = commands.add_parser("info", help="describe a volume")
    info.set_defaults(command=run_info)
    info.add_argument("input", metavar="FILE")
    info.add_argument("--json", action="store_true", help="print JSON")
    _add_input_choices(info)

    export = commands.add_parser("export", help="write a SavedModel for serving")
    export.set_defaults(command=run_export)
    export.add_argument("--model", required=True, metavar="PATH", help=".keras file or run folder")
    export.add_argument("--root", default="saved_models", metavar="FOLDER", help="folder of served models")
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
    )
    input_choices = {"dataset": args.dataset, "channel": args.channel}
    shared = {"overwrite": args.overwrite, "progress": ProgressLine("predicting", "slices")}
    if args.workers > 1:
        from segkit.inference.engines import Recipe
        from segkit.inference.predict_in_processes import predict_in_processes

        volume = Recipe(open_volume, args.input, **input_choices)
        predict_in_processes(args.model, volume, args.output, options, num_workers=args.workers, **shared)
        return
    volume = open_volume(args.input, progress=ProgressLine("opening", "bytes"), **input_choices)
    from segkit.inference.loaded_model import LoadedModel
    from segkit.inference.predict_volume import predict_volume

    predict_volume([LoadedModel.open(path) for path in args.model], volume, args.output, options, **shared)


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


_OF_VOLUMES = ("slices", "label", "all_labels", "instances", "slice_wise", "reference_label", "ignore_value", "flip_y")
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


def evaluate_prediction(args: argparse.Namespace) -> Evaluation | ClassEvaluation | InstanceEvaluation:
    """Score a mask, a label volume of classes, or objects.

    Raises:
        InputError: If arguments or volumes do not fit each other, or a file cannot be read.
    """
    from segkit.data.splits import parse_slices
    from segkit.evaluation.evaluate_classes import evaluate_classes
    from segkit.evaluation.evaluate_volumes import evaluate_volumes

    if args.all_labels and (args.label is not None or args.reference_label is not None):
        raise InputError("--all-labels together with a chosen label; give one of them")
    if args.instances and (args.all_labels or {args.label, args.reference_label, args.ignore_value} != {None}):
        raise InputError(
            "--instances together with --all-labels, a label or --ignore-value; objects are all voxels that are not 0"
        )
    if args.slice_wise and not args.instances:
        raise InputError("--slice-wise without --instances; other scores are computed voxel by voxel; leave it out")
    if not (args.all_labels or args.instances):
        check_label(args.prediction, args.label)
    prediction = open_volume(args.prediction)
    reference = open_volume(args.reference, flip_y=args.flip_y)
    chosen = parse_slices(args.slices, reference.shape[0]) if args.slices else None
    progress = ProgressLine("scoring", "slices")
    if args.instances:
        from segkit.evaluation.evaluate_instances import evaluate_instances

        slice_wise = True if args.slice_wise else None
        return evaluate_instances(prediction, reference, slices=chosen, slice_wise=slice_wise, progress=progress)
    shared = {"slices": chosen, "ignore_value": args.ignore_value, "progress": progress}
    if args.all_labels:
        names = class_names(args.prediction, reference, args.ignore_value)
        return evaluate_classes(prediction, reference, names, **shared)
    return evaluate_volumes(prediction, reference, label=args.label, reference_label=args.reference_label, **shared)


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


def class_names(path: str, reference: Volume, ignore_value: int | None) -> list[str]:
    """Return the names of all classes: from the legend next to a label volume, else the labels of the reference."""
    from segkit.inference.legend import legend_path, read_legend
    from segkit.volumes.label_checks import check_labels

    legend = legend_path(path)
    if legend.exists():
        return list(read_legend(legend).values())
    return [str(label) for label in range(check_labels(reference, ignore_value=ignore_value).num_classes)]


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
    args.command(args)


def run() -> None:
    """Run the command and end the process with its exit status."""
    sys.exit(run_command(main, when_interrupted="Finished slices are kept: run the same command again to resume."))


def _add_input_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="NAME", help="data set inside an HDF5 file")
    parser.add_argument("--channel", type=int, metavar="N", help="channel, for a file with several")
