"""``segkit evaluate``: masks, labels, ids and probabilities against their annotation."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segkit.console import first_given, say
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments.seen_slices import seen_frames, seen_slices
from segkit.model_path import resolve_model_path
from segkit.progress import ProgressLine
from segkit.volumes.files import open_volume
from segkit.volumes.output_checks import check_not_input, check_text_output
from segkit.volumes.physical_size import other_voxels, shown_size
from segkit.volumes.tell_warnings import tell_warnings
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import check_output, whole_file

if TYPE_CHECKING:
    from segkit.evaluation.evaluate_challenge import ChallengeEvaluation
    from segkit.evaluation.evaluation_like import EvaluationLike
    from segkit.evaluation.threshold_sweep import ThresholdSweep
    from segkit.tasks.task import Task


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``run_evaluate`` takes."""
    parser.add_argument("--prediction", metavar="FILE", help="segmentation to score")
    parser.add_argument("--reference", metavar="FILE", help="annotation to compare it with")
    parser.add_argument("--ctc-result", metavar="FOLDER", help="result of the Cell Tracking Challenge, such as 01_RES")
    parser.add_argument("--ctc-reference", metavar="FOLDER", help="its reference, such as 01_GT or 01_ST")
    parser.add_argument(
        "--num-parameters", type=int, metavar="N", help="parameters of all networks that made the result, for PESEG"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="PATH",
        help=".keras files or run folders that made the challenge's result: their parameters, for PESEG",
    )
    parser.add_argument(
        "--task", metavar="KIND", help="kind of result: foreground (the default), classes, cells, or a registered one"
    )
    parser.add_argument("--slices", metavar="RANGES", help="only these slices, such as 12-15")
    parser.add_argument("--label", type=int, metavar="N", help="label of the prediction that counts as foreground")
    parser.add_argument(
        "--reference-label", type=int, metavar="N", help="label of the reference that counts as foreground"
    )
    parser.add_argument(
        "--all-labels",
        action="store_true",
        help="score every label; both volumes hold the same classes (--task classes)",
    )
    parser.add_argument(
        "--instances", action="store_true", help="score objects; both volumes hold ids: SEG, AP (--task cells)"
    )
    parser.add_argument("--slice-wise", action="store_true", default=None, help="score objects slice by slice")
    parser.add_argument("--ignore-value", type=int, metavar="V", help="reference value of unannotated pixels")
    parser.add_argument("--flip-y", action="store_true", help="flip the reference in y")
    parser.add_argument(
        "--sweep", action="store_true", help="score a probability map at thresholds from 0.05 to 0.95 and name the best"
    )
    parser.add_argument(
        "--surface",
        action="store_true",
        help="also score surfaces: distances [nm] and surface Dice; outlines, where --slices are no neighbours",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="NM",
        help="tolerance of the surface Dice (default: the longest side of a voxel)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the scores as JSON; - for standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace the JSON file")


def run_evaluate(args: argparse.Namespace) -> None:
    """Score a mask, labels or a challenge's result against a reference.

    Raises:
        InputError: If arguments or volumes do not fit each other, or a file cannot be read or written.
    """
    is_challenge = bool(args.ctc_result or args.ctc_reference)
    given = (args.ctc_result, args.ctc_reference) if is_challenge else (args.prediction, args.reference)
    if not all(given) or (is_challenge and (args.prediction or args.reference)):
        raise InputError("give --prediction and --reference, or --ctc-result and --ctc-reference")
    if args.model and not is_challenge:
        raise InputError("--model without --ctc-result; leave it out")
    if is_challenge and (ignored := first_given(args, _OF_VOLUMES)):
        raise InputError(f"{ignored} cannot be combined with --ctc-result, which is scored whole; leave it out")
    if args.json and args.json != "-":
        check_text_output(args.json, "--json", ".json")
        check_not_input(args.json, () if is_challenge else given)
        check_output(args.json, overwrite=args.overwrite)  # scoring may take long
    surface = None
    if is_challenge:
        evaluation = evaluate_result(args)
    else:
        volumes = open_volume(args.prediction), open_volume(args.reference, flip_y=args.flip_y)
        for volume in volumes:
            tell_warnings(volume)
        size = surface_voxel_size(args, *volumes) if args.surface else None
        task = None if args.sweep else chosen_task(args, volumes[1])
        evaluation = evaluate_sweep(args, *volumes) if task is None else evaluate_prediction(args, task, *volumes)
        for line in warnings_about(args, task, evaluation, *volumes):
            say(f"warning: {line}")
        scored = _slices(args, volumes[1]) or range(volumes[1].shape[0])
        tell_seen(
            lambda: len(seen_slices(args.prediction, args.reference, scored, volumes[1].shape[0])),
            *("scored slices", pathlib.Path(args.prediction).parent, "slices that were not"),
        )
        surface = None if size is None else evaluate_surface(args, *volumes, size)
    content = evaluation.to_dict() if surface is None else {**evaluation.to_dict(), "surface": surface}
    text = json.dumps(content, indent=2) + "\n"
    if args.json == "-":
        sys.stdout.write(text)
        return
    sys.stdout.write(evaluation.to_table() + "\n")
    width = max(map(len, surface or {}), default=0) + 2
    for name, value in (surface or {}).items():
        sys.stdout.write(f"{name:<{width}}{'-' if value is None else f'{value:.4g}'}\n")
    if args.json:
        with whole_file(args.json, overwrite=args.overwrite) as unfinished:
            unfinished.write_text(text)


def warnings_about(
    args: argparse.Namespace, task: Task | None, evaluation: EvaluationLike, prediction: Volume, reference: Volume
) -> list[str]:
    """Return what looks wrong about volumes that were scored, one line each; each is said once.

    Args:
        args: The command line.
        task: The task that scored them; ``None`` for a probability at several thresholds.
        evaluation: Their scores.
        prediction: What was scored.
        reference: What it was compared with.
    """
    from segkit.evaluation.doubts_about import doubts_about  # here: their package takes long to load
    from segkit.evaluation.misfit import holds

    is_one_file = os.path.realpath(args.prediction) == os.path.realpath(args.reference)
    found, truth = args.prediction, args.prediction if is_one_file else args.reference
    doubts = doubts_about(
        task,
        evaluation,
        prediction,
        reference,
        slices=_slices(args, reference),
        ignore_value=args.ignore_value,
        is_flipped=args.flip_y,
        compares_labels=args.label is not None or args.reference_label is not None,
        compares_sizes=not args.surface,  # of surfaces it was said
    )
    lines = [f"{found if volume is prediction else truth}: {doubt}" for volume, doubt in doubts]
    for path, volume, label in ((found, prediction, args.label), (truth, reference, args.reference_label)):
        if label is not None and not holds(volume, label):
            lines.append(f"{path}: no voxel has the label {label}")
    return list(dict.fromkeys(lines))


_OF_KINDS = ("label", "reference_label", "slice_wise", "ignore_value")
"""What has a meaning for some kinds of results only."""

_OF_VOLUMES = ("task", "slices", "all_labels", "instances", "flip_y", "sweep", "surface", *_OF_KINDS)
"""What has no meaning for a challenge's result."""


def evaluate_result(args: argparse.Namespace) -> ChallengeEvaluation:
    """Score a sequence in the layout of the Cell Tracking Challenge.

    Raises:
        InputError: If the number of parameters is not positive, a model cannot be read, or the folders are not of one
            sequence.
    """
    from segkit.evaluation.evaluate_challenge import evaluate_challenge

    if args.model and args.num_parameters is not None:
        raise InputError("--model cannot be combined with --num-parameters; give one of them")
    result = pathlib.Path(args.ctc_result)
    tell_seen(lambda: seen_frames(result), "frames of this sequence", result.parent, "a sequence that was not")
    if args.num_parameters is not None and args.num_parameters < 1:
        raise InputError(f"--num-parameters {args.num_parameters}; give the number of parameters, at least 1")
    progress = ProgressLine("scoring", "files")
    count = parameters_of(args.model) if args.model else args.num_parameters
    return evaluate_challenge(args.ctc_result, args.ctc_reference, num_parameters=count, progress=progress)


def tell_seen(find: Callable[[], int], what: str, folder: pathlib.Path, others: str) -> None:
    """Say where a run has learnt from what is scored, which makes scores too good.

    Args:
        find: Returns how many parts of it the run has learnt from.
        what: What these parts are called.
        folder: Folder of the run.
        others: What should be scored instead.
    """
    try:
        seen = find()
    except InputError as fault:  # of a kind that is not imported, or damaged: scores do not need the plan
        say(f"note: whether {what} were trained on is unknown: {fault}")
        return
    if seen:
        say(f"note: {seen} {what} were trained on or chose the checkpoint of {folder}; score {others}")


def parameters_of(models: Sequence[str]) -> int:
    """Return the parameters of all networks together.

    Raises:
        InputError: If a model cannot be read.
    """
    paths = [resolve_model_path(path) for path in models]
    from segkit.models.files import load_model

    return sum(load_model(path).count_params() for path in paths)


def chosen_task(args: argparse.Namespace, reference: Volume) -> Task:
    """Return the task that scores a predicted volume.

    Raises:
        InputError: If options do not fit each other or the volumes, or a file cannot be read.
    """
    kind = chosen_kind(args)
    if "label" in kind.evaluation_settings:
        check_label(args.prediction, args.label)
    return kind.of_reference(reference, ignore_value=args.ignore_value, label_names=label_names(args.prediction))


def evaluate_prediction(args: argparse.Namespace, task: Task, prediction: Volume, reference: Volume) -> EvaluationLike:
    """Score a predicted volume as its kind of result is scored.

    Raises:
        InputError: If the volumes do not fit each other, or a file cannot be read.
    """
    given = {name: value for name in task.evaluation_settings if (value := getattr(args, name, None)) is not None}
    chosen, progress = _slices(args, reference), ProgressLine("scoring", "slices")
    return task.evaluate(prediction, reference, slices=chosen, progress=progress, **given)


def evaluate_sweep(args: argparse.Namespace, probability: Volume, reference: Volume) -> ThresholdSweep:
    """Score a probability at several thresholds.

    Raises:
        InputError: If an option has no meaning for it, or volumes do not fit each other.
    """
    from segkit.evaluation.threshold_sweep import sweep_thresholds

    if ignored := first_given(args, ("task", "all_labels", "instances", "label", "reference_label", "slice_wise")):
        raise InputError(
            f"{ignored} cannot be combined with --sweep, which is for the probability of one structure; leave it out"
        )
    shared = {"slices": _slices(args, reference), "ignore_value": args.ignore_value}
    return sweep_thresholds(probability, reference, progress=ProgressLine("scoring", "slices"), **shared)


def surface_voxel_size(args: argparse.Namespace, prediction: Volume, reference: Volume) -> tuple[float, float, float]:
    """Return the voxel size that distances of surfaces are measured with [nm]; that of the reference where it is known.

    Raises:
        InputError: If both are unknown, or the tolerance is negative.
    """
    size = reference.voxel_size_nm or prediction.voxel_size_nm
    if size is None:
        raise InputError(f"{args.reference}: the voxel size is unknown, but needed for distances; leave out --surface")
    if args.tolerance is not None and not args.tolerance >= 0:
        raise InputError(f"--tolerance {args.tolerance:g}: expected a distance [nm], 0 or more")
    other, shown = prediction.voxel_size_nm, shown_size(size)
    if other is None:
        say(f"note: {args.prediction}: the voxel size is unknown; distances are measured with the reference's, {shown}")
    elif reference.voxel_size_nm is None:
        say(f"note: {args.reference}: the voxel size is unknown; distances are measured with the prediction's, {shown}")
    elif differ := other_voxels(prediction, reference, "the reference", tolerance=0.01):
        say(f"warning: {args.prediction}: {differ}; distances are measured with those of the reference")
    return size


def evaluate_surface(
    args: argparse.Namespace, prediction: Volume, reference: Volume, size: tuple[float, float, float]
) -> dict[str, Any]:
    """Return distances of the surfaces of what is foreground in both volumes, by name.

    Args:
        args: The command line.
        prediction: What is scored.
        reference: What it is compared with.
        size: Voxel size that distances are measured with [nm].
    """
    from segkit.evaluation.surface_distance import surface_distance

    slices = _slices(args, reference) or range(reference.shape[0])
    # Of fewer than three neighbours every voxel would be surface.
    slice_wise = len(slices) < 3 or any(later - z != 1 for z, later in itertools.pairwise(slices))
    tolerance = max(size[1:] if slice_wise else size) if args.tolerance is None else args.tolerance
    masks = []
    for volume, label in ((prediction, args.label), (reference, args.reference_label)):
        part = np.stack([np.asarray(volume.array[z]) for z in slices])
        masks.append(part != 0 if label is None else part == label)
    # Voxels that nobody has annotated are the same in both.
    if args.ignore_value is not None:
        masks[0][part == args.ignore_value] = masks[1][part == args.ignore_value] = False
    found = surface_distance(*masks, size, tolerance, slice_wise=slice_wise)
    if slice_wise:
        say("note: outlines are compared inside each slice, for fewer than three neighbouring slices have no inside")
    if found.left_out:
        say(
            f"warning: the structure is in one of the two volumes alone on {found.left_out} of {len(slices)} slices; "
            "their voxels count for the surface Dice, and have no distance"
        )
    return {
        "mean_surface_distance_nm": found.mean,
        "hausdorff_95_nm": found.hausdorff_95,
        "surface_dice": found.within,
        "tolerance_nm": found.tolerance,
    }


def _slices(args: argparse.Namespace, reference: Volume) -> tuple[int, ...] | None:
    return parse_slices(args.slices, reference.shape[0]) if args.slices else None


def chosen_kind(args: argparse.Namespace) -> type[Task]:
    """Return the class of the task that a prediction is scored by.

    Raises:
        InputError: If options contradict each other, the kind is unknown, or an option has no meaning for it.
    """
    from segkit.tasks.task import TASKS

    if args.all_labels and (args.label is not None or args.reference_label is not None):
        raise InputError("--all-labels cannot be combined with a chosen label; give one of them")
    if args.instances and (args.all_labels or {args.label, args.reference_label} != {None}):
        raise InputError("--instances cannot be combined with --all-labels or a label; every value but 0 is an object")
    shorthand = first_given(args, ("all_labels", "instances"))
    if shorthand and args.task:
        raise InputError(f"{shorthand} cannot be combined with --task {args.task}; give one of them")
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
