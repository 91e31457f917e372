"""Whole-volume prediction: its speed against the bare network, and its peak memory.

Speed: the same process predicts a volume and, after every slice, runs the bare compiled network as often as the slice
has tiles. The ratio of the medians is what reading, normalising, cutting, assembling and writing cost.

Memory: a process of its own for every number of slices, under one bound. Its peak (``ru_maxrss``) counts everything:
the interpreter, TensorFlow, the slices, the network.

    python -m benchmarks.predict_volume --out predict_volume.md
    python -m benchmarks.predict_volume --size 256 --slices 2 3 --tile 0 --max-ram 2G   # a short one

The full run takes about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from segkit.console import parse_size
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.volume import Volume

VOXEL_SIZE_NM = (2.255, 2.255, 2.255)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, help="height and width of a slice [px]")
    parser.add_argument("--slices", type=int, nargs="+", default=[8, 76], help="numbers of slices for the memory part")
    parser.add_argument("--speed-slices", type=int, default=6, help="number of slices for the speed part")
    parser.add_argument(
        "--tile", type=int, default=1312, help="side of the tiles of the second speed run; 0: none [px]"
    )
    parser.add_argument("--max-ram", default="4G", help="bound for the memory part")
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    parser.add_argument("--out", type=pathlib.Path, help="table to be written, .md or .json")
    parser.add_argument("--measure", choices=["speed", "memory"], help=argparse.SUPPRESS)
    parser.add_argument("--input", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Measure, or, in a process that measures one thing, print what was found."""
    args = parse_args(argv)
    if args.measure == "speed":
        print(json.dumps(measure_speed(args)))
    elif args.measure == "memory":
        print(json.dumps(measure_memory(args)))
    else:
        report(args, run_all(args))


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """Run every measurement in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        speed = []
        for tile in [0, args.tile] if args.tile else [0]:
            volume = write_noise(pathlib.Path(folder), args.speed_slices, args.size)
            speed.append(in_process("speed", args, volume, tile))
        memory = [
            in_process("memory", args, write_noise(pathlib.Path(folder), slices, args.size), 0)
            for slices in args.slices
        ]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "size_px": args.size,
        "precision": args.precision,
        "speed": speed,
        "memory": memory,
    }


def in_process(what: str, args: argparse.Namespace, volume: pathlib.Path, tile: int) -> dict[str, Any]:
    """Run one measurement in a fresh process."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.predict_volume",
        "--measure",
        what,
        "--input",
        str(volume),
        "--tile",
        str(tile),
    ]
    command += ["--max-ram", args.max_ram, "--precision", args.precision]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def write_noise(folder: pathlib.Path, slices: int, size: int) -> pathlib.Path:
    """Write an MRC stack of signed 8-bit noise, slice by slice."""
    path = folder / f"noise_{slices}.mrc"
    if not path.exists():

        def noise(z: int) -> np.ndarray:
            return np.random.default_rng(z).integers(-128, 128, (size, size)).astype(np.int8)

        array = slice_stack(noise, (slices, size, size), np.int8)
        save_volume(path, Volume(array=array, voxel_size_nm=VOXEL_SIZE_NM))
    return path


def load_seget() -> Any:
    """Return SegET with drawn weights: neither speed nor memory depends on what they are."""
    # Here, as the process that only starts the others has no use for TensorFlow.
    from segkit.inference.loaded_model import LoadedModel
    from segkit.models.card import ModelCard
    from segkit.models.seget import seget, seget_halo_px

    card = ModelCard(
        name="segET",
        structure="noise",
        preprocessing=Standardize(mean=0.0, std=74.0),
        voxel_size_nm=VOXEL_SIZE_NM,
        multiple_px=16,
        halo_px=seget_halo_px(),
    )
    return LoadedModel(seget(), card)


def measure_speed(args: argparse.Namespace) -> dict[str, Any]:
    """Predict a volume and run the bare network in between."""
    import tensorflow as tf

    from segkit.inference.compiled import probability_model
    from segkit.inference.predict_options import PredictOptions
    from segkit.inference.predict_volume import predict_volume
    from segkit.inference.slice_predictor import SlicePredictor

    loaded, volume = load_seget(), open_volume(args.input)
    options = PredictOptions(tile_px=args.tile or None, precision=args.precision, max_ram=2**50)
    plan = SlicePredictor(loaded, volume, options).plan
    model = probability_model(loaded.model, args.precision)
    bare = tf.function(lambda x: model(x, training=False))
    tile = tf.random.normal((1, *plan.tile_shape, 1))
    bare(tile).numpy()
    slice_s: list[float] = []
    bare_s: list[float] = []
    last = time.perf_counter()

    def between_slices(done: int, total: int) -> None:
        nonlocal last
        slice_s.append(time.perf_counter() - last)
        started = time.perf_counter()
        for _ in range(len(plan)):
            bare(tile).numpy()
        bare_s.append(time.perf_counter() - started)
        last = time.perf_counter()

    started = time.perf_counter()
    predict_volume(
        [loaded], volume, args.input.with_suffix(".out.mrc"), options, overwrite=True, progress=between_slices
    )
    total_s = time.perf_counter() - started - sum(bare_s)
    # The first call comes before the first slice, the second holds the tracing.
    slice_s, bare_s = slice_s[2:], bare_s[2:]
    return {
        "tiles": len(plan),
        "tile_px": list(plan.tile_shape),
        "read_px": plan.read_px,
        "slice_s": statistics.median(slice_s),
        "bare_s": statistics.median(bare_s),
        "ratio": statistics.median(slice_s) / statistics.median(bare_s),
        "total_s": total_s,
        "slices": volume.shape[0],
    }


def measure_memory(args: argparse.Namespace) -> dict[str, Any]:
    """Predict a volume under a bound and return the peak."""
    from segkit.inference.predict_options import PredictOptions
    from segkit.inference.predict_volume import predict_volume

    loaded, volume = load_seget(), open_volume(args.input)
    options = PredictOptions(precision=args.precision, max_ram=parse_size(args.max_ram))
    imported = peak_bytes()
    started = time.perf_counter()
    predict_volume([loaded], volume, args.input.with_suffix(".out.mrc"), options, overwrite=True)
    return {
        "slices": volume.shape[0],
        "bound_bytes": parse_size(args.max_ram),
        "imported_bytes": imported,
        "peak_bytes": peak_bytes(),
        "seconds": time.perf_counter() - started,
    }


def peak_bytes() -> int:
    """Return the largest memory this process has held so far [byte]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def report(args: argparse.Namespace, found: dict[str, Any]) -> None:
    """Print the table, and write it if asked for."""
    table = to_markdown(found)
    print(table)
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=2) + "\n" if args.out.suffix == ".json" else table)


def to_markdown(found: dict[str, Any]) -> str:
    """Return what was found as two Markdown tables."""
    size = found["size_px"]
    lines = [
        f"SegET, slices of {size} x {size} px, {found['precision']}; {found['machine']}",
        "",
        "| tiles a slice | tile [px] | read [Mpx] | a slice [s] | bare network [s] | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["speed"]:
        shape = " x ".join(map(str, row["tile_px"]))
        lines.append(
            f"| {row['tiles']} | {shape} | {row['read_px'] / 1e6:.2f} | {row['slice_s']:.2f} | {row['bare_s']:.2f} "
            f"| {row['ratio']:.3f} |"
        )
    lines += ["", "| slices | bound [GiB] | imports and model [GiB] | peak [GiB] | time [s] |", "|---|---|---|---|---|"]
    for row in found["memory"]:
        bound, imported, peak = (row[f"{name}_bytes"] / 2**30 for name in ("bound", "imported", "peak"))
        lines.append(f"| {row['slices']} | {bound:.2f} | {imported:.2f} | {peak:.2f} | {row['seconds']:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
