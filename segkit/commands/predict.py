"""``segkit predict``: one volume or many."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segkit.commands.device import choose_device
from segkit.console import parse_size, printable, whole_numbers
from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.engines import Deferred
from segkit.inference.predict_options import PRECISIONS, PredictOptions
from segkit.inference.prediction import Prediction
from segkit.inference.prediction_output import PredictionOutput, check_format
from segkit.model_path import resolve_model_paths
from segkit.progress import ProgressLine, clock
from segkit.volumes.compressed import COMPRESSED_SUFFIXES
from segkit.volumes.files import open_volume, suffix_like
from segkit.volumes.hdf5 import split_dataset
from segkit.volumes.output_checks import check_not_input
from segkit.volumes.volume import Volume

if TYPE_CHECKING:
    from segkit.inference.estimate import Estimate

_log = logging.getLogger(__name__)


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``run_predict`` takes."""
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        metavar="PATH",
        help=".keras files or run folders; several give one label volume. A folder of --folds: the mean of its folds",
    )
    parser.add_argument(
        "--input",
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="volume, or folder of the slices of one volume; for a folder of stacks give FOLDER/*",
    )
    parser.add_argument("--output", metavar="FILE", help="output of a single input; its suffix chooses the format")
    parser.add_argument(
        "--output-dir", type=pathlib.Path, metavar="FOLDER", help="folder for the outputs of any number of inputs"
    )
    parser.add_argument(
        "--continue",
        dest="skip_existing",
        action="store_true",
        help="skip inputs whose output is in --output-dir already, whatever models and options made it",
    )
    parser.add_argument("--threshold", type=float, help="probability above which a voxel is foreground")
    parser.add_argument(
        "--probability", action="store_true", help="write the probability, float32; not with --threshold"
    )
    parser.add_argument(
        "--average", action="store_true", help="use the mean of several models of one structure, such as folds"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing; tell how much time, memory and disk it will take"
    )
    parser.add_argument("--tta", action="store_true", help="average over the eight flips and 90-degree rotations")
    parser.add_argument(
        "--roi", metavar="Z0:Z1,Y0:Y1,X0:X1", help="predict this box only; the rest of the output is background"
    )
    parser.add_argument("--rescale", action="store_true", help="resample to the model's voxel size and back")
    parser.add_argument("--max-ram", metavar="SIZE", help="memory limit, such as 4G")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="number of processes, which share the cores and the memory limit",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="cpu, gpu (the first one), or gpu:1 and so on; default: any that is available"
    )
    parser.add_argument("--tile", type=int, metavar="PX", help="side of the tiles, halo included")
    parser.add_argument(
        "--halo", type=int, metavar="PX", help="context around a tile, on each side (default: the model's)"
    )
    parser.add_argument(
        "--windows",
        metavar="Y,X",
        help="cut slices into overlapping squares, such as 2,3, for a model of cells (default: the model's)",
    )
    parser.add_argument(
        "--match-grey-values",
        action="store_true",
        help="match mean and standard deviation of the grey values to the training data",
    )
    parser.add_argument("--invert", action="store_true", help="invert the grey values")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the network (default: float32)")
    parser.add_argument(
        "--voxel-size",
        nargs=3,
        type=float,
        metavar=("Z", "Y", "X"),
        help="voxel size of the input [nm], where its file lacks it or is wrong",
    )


def run_predict(args: argparse.Namespace) -> None:
    """Segment one volume or many.

    Raises:
        InputError: If arguments, models and volume do not fit each other, or a file cannot be read or written; of many
            inputs, when all others are done.
    """
    options = _options(args)
    _check_outputs(args)
    models, are_folds = resolve_model_paths(args.model)
    if are_folds:
        _log.info("%s: the mean of %d folds is predicted", args.model[0], len(models))
        options = dataclasses.replace(options, average=True)
    options.check_count(len(models))  # here too, as models take seconds to load
    choose_device(args.device)
    _make_output_folder(args)
    predict = _predictor(args, models, options)
    if args.output:
        (source,) = args.input
        done = predict(_input(args, source), args.output)
        if args.dry_run:
            sys.stdout.write(f"{args.output}: {done}\n")
        return
    _predict_all(args, predict)


def _options(args: argparse.Namespace) -> PredictOptions:
    if args.workers < 1:
        raise InputError(f"--workers {args.workers}: expected a number of processes, at least 1")
    if args.dry_run and args.workers > 1:
        raise InputError("--dry-run measures one process; leave out --workers")
    return PredictOptions(
        threshold=args.threshold,
        probability=args.probability,
        average=args.average,
        tta=args.tta,
        roi=Region.parse(args.roi) if args.roi else None,
        max_ram=parse_size(args.max_ram),
        halo_px=args.halo,
        tile_px=args.tile,
        windows=None if args.windows is None else whole_numbers(args.windows, 2, "--windows"),
        rescale=args.rescale,
        precision=args.precision,
        match_grey_values=args.match_grey_values,
        invert=args.invert,
    )


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be meant, before TensorFlow is imported, which takes seconds."""
    if bool(args.output) == bool(args.output_dir):
        raise InputError("give --output FILE for one input, or --output-dir FOLDER for one or several")
    if args.output and len(args.input) > 1:
        raise InputError(f"{len(args.input)} inputs and one --output; give --output-dir FOLDER")
    if args.skip_existing and (args.output or args.overwrite):
        raise InputError("--continue cannot be combined with --output or --overwrite; it is for --output-dir alone")
    folder = args.output_dir
    if folder and not folder.is_dir() and (folder.exists() or not folder.parent.is_dir()):
        raise InputError(f"{folder}: is not a folder; create it, or choose another --output-dir")


def _make_output_folder(args: argparse.Namespace) -> None:
    if not args.output_dir or args.output_dir.is_dir():
        return
    if args.dry_run:  # written nowhere, so any folder will do
        args.output_dir = args.output_dir.parent
    else:
        args.output_dir.mkdir()


@dataclasses.dataclass(frozen=True)
class _Input:
    """How to open an input, in this process or another one."""

    path: str
    dataset: str | None
    channel: int | None
    unsigned: bool | None
    voxel_size_nm: tuple[float, float, float] | None

    def __call__(self, progress: Callable[[int, int], None] | None = None) -> Volume:
        volume = open_volume(
            self.path, dataset=self.dataset, channel=self.channel, unsigned=self.unsigned, progress=progress
        )
        return volume if self.voxel_size_nm is None else dataclasses.replace(volume, voxel_size_nm=self.voxel_size_nm)


def _input(args: argparse.Namespace, path: str) -> _Input:
    size = args.voxel_size
    if size is not None and not all(0 < extent < math.inf for extent in size):
        raise InputError(f"--voxel-size {' '.join(f'{extent:g}' for extent in size)}: expected positive sizes [nm]")
    return _Input(path, args.dataset, args.channel, args.unsigned, None if size is None else tuple(size))


def _predictor(
    args: argparse.Namespace, models: Sequence[pathlib.Path], options: PredictOptions
) -> Callable[[_Input, str | os.PathLike[str]], Prediction | Estimate]:
    """Return what predicts an input, or tells what that takes; models are loaded when the first one is found good."""
    shared = {"overwrite": args.overwrite, "progress": ProgressLine("predicting", "blocks")}
    if args.workers > 1:
        from segkit.inference.predict_in_processes import predict_in_processes

        processes = {"num_workers": args.workers, "modules": args.imports}

        def predict_together(source: _Input, output: str | os.PathLike[str]) -> Prediction:
            check_not_input(output, [source.path])
            return predict_in_processes(models, Deferred(source), output, options, **processes, **shared)

        return predict_together
    loaded: list[Any] = []

    def predict(source: _Input, output: str | os.PathLike[str]) -> Prediction | Estimate:
        place = PredictionOutput(output, overwrite=args.overwrite)
        check_not_input(output, [source.path])
        place.check()
        volume = source(ProgressLine("opening", "bytes"))
        # What a mask or labels are written with at least; what the result needs is known of the model.
        least = np.dtype(np.float32 if options.probability else np.uint8)
        check_format(output, pathlib.Path(tempfile.gettempdir()), volume, least)
        if options.roi is not None:
            options.roi.within(volume.shape)
        # Mistakes in paths and region are found before TensorFlow is imported, which takes seconds.
        from segkit.inference.loaded_model import LoadedModel
        from segkit.inference.predict_volume import predict_volume

        loaded.extend([] if loaded else [LoadedModel.open(path) for path in models])
        if args.dry_run:
            from segkit.inference.estimate import estimate_prediction

            return estimate_prediction(loaded, volume, output, options, overwrite=args.overwrite)
        return predict_volume(loaded, volume, output, options, **shared)

    return predict


def _predict_all(args: argparse.Namespace, predict: Callable[[_Input, pathlib.Path], Prediction | Estimate]) -> None:
    """Predict inputs one after the other, and print what became of each; a bad one harms no other."""
    rows, failed = [], 0
    names: dict[pathlib.Path, str] = {}
    for source in args.input:
        start, output = time.monotonic(), None
        try:
            output = output_in(args.output_dir, source, probability=args.probability)
            if other := names.get(output):
                raise InputError(f"{source}: its output would be that of {other}; predict it into another folder")
            names[output] = source
            if args.skip_existing and output.exists():
                state = "was there (not compared with these models and options)"
            else:
                state = str(predict(_input(args, source), output))
        except InputError as fault:
            failed += 1
            state = f"failed: {fault}"
        rows.append((source, "-" if output is None else output.name, clock(time.monotonic() - start), state))
    sys.stdout.write(_table(("input", "output", "time", "result"), rows))
    if failed:
        raise InputError(f"{failed} of {len(args.input)} inputs failed, see above; correct them, and use --continue")


def output_in(folder: pathlib.Path, source: str, *, probability: bool = False) -> pathlib.Path:
    """Return the output of an input in a folder, named after it and in its format.

    Args:
        folder: The folder.
        source: Path of the input, as ``open_volume`` takes it.
        probability: Name it after the probability.

    Raises:
        InputError: If the input cannot be opened.
    """
    path = split_dataset(source)[0]
    stem = path.name
    while (suffix := pathlib.Path(stem).suffix) and suffix.lower() in _SUFFIXES:
        stem = stem.removesuffix(suffix)
    return folder / f"{stem}-{'probability' if probability else 'mask'}{suffix_like(open_volume(source))}"


_SUFFIXES = {*COMPRESSED_SUFFIXES, ".mrc", ".rec", ".map", ".st", ".mrcs", ".tif", ".tiff", ".btf", ".ome"}
_SUFFIXES |= {".h5", ".hdf5", ".hdf", ".png"}


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [titles, *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles) - 1)]
    padded = ([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]] for row in cells)
    return "".join(f"{'  '.join(row)}\n" for row in padded)
