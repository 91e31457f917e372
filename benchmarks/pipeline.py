"""Rate and memory of the tf.data pipeline beside a bare loop over the memory map.

    python -m benchmarks.pipeline --out benchmarks/results/pipeline.md

Writes a 2048 x 2048 x 76 int8 MRC file and a mask into a temporary folder. The bare loop cuts image and mask of each
patch and flips them; the pipeline also normalises to float32, weighs and batches. Both run in turn, several
rounds, and the median of the ratios counts.
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
import statistics
import tempfile
import time

import mrcfile
import numpy as np

from benchmarks.table import show_table
from segkit.data.augmentation import Augmentation
from segkit.data.patches import tabulate_patches
from segkit.data.pipeline import patch_dataset
from segkit.data.sampler import PatchSampler
from segkit.preprocessing.standardize import Standardize
from segkit.targets.foreground import ForegroundTarget
from segkit.volumes.files import open_volume

PATCH_PX, STRIDE_PX, BATCH = 512, 256, 12


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(76, 2048, 2048))
    parser.add_argument("--batches", type=int, default=40, help="batches a round")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    after_imports = anonymous_bytes()
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ("tomogram.mrc", "mask.mrc")]
        for seed, path in enumerate(paths):
            write_stack(path, tuple(args.shape), seed)
        pair = tuple(open_volume(path).array for path in paths)
        table = tabulate_patches([(pair[1], range(args.shape[0]))], patch_shape=(PATCH_PX, PATCH_PX), stride=STRIDE_PX)
        sampler = PatchSampler(
            [pair],
            table,
            batch_size=BATCH,
            preprocessing=Standardize(mean=0.0, std=30.0),
            target=ForegroundTarget(weight_limit=2000.0),
            augmentation=Augmentation(turns=False),
            shuffle=True,
        )
        stream = iter(patch_dataset(sampler))
        next(stream)
        rates = [(bare_rate(sampler, args.batches, n), pipeline_rate(stream, args.batches)) for n in range(args.rounds)]
        grown = anonymous_bytes() - after_imports
    ratios = [pipeline / bare for bare, pipeline in rates]
    lines = [
        "| figure | value |",
        "|---|---|",
        f"| patches of {PATCH_PX} px from {' x '.join(map(str, args.shape))}, batches of {BATCH} | {len(table)} |",
        f"| bare loop, median [patches/s] | {statistics.median(bare for bare, _ in rates):.0f} |",
        f"| pipeline, median [patches/s] | {statistics.median(rate for _, rate in rates):.0f} |",
        f"| pipeline / bare loop, median of {args.rounds} rounds (min, max) | "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f}) |",
        f"| anonymous resident memory beyond the imports [MiB] | {grown / 2**20:.0f} |",
    ]
    show_table(lines, args.out)


def write_stack(path: pathlib.Path, shape: tuple[int, int, int], seed: int) -> None:
    """Write random grey values (seed 0) or a mask with a few discs a slice."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: shape[1], : shape[2]]
    with mrcfile.new_mmap(path, shape, mrc_mode=0) as mrc:
        for z in range(shape[0]):
            if seed == 0:
                mrc.data[z] = rng.integers(-128, 128, shape[1:], dtype=np.int8)
            else:
                cy, cx = rng.integers(0, shape[1:])
                mrc.data[z] = (yy - cy) ** 2 + (xx - cx) ** 2 < 60**2


def bare_rate(sampler: PatchSampler, batches: int, epoch: int) -> float:
    """Return patches a second of a loop that slices and flips the memory maps."""
    image, mask = sampler.pairs[0]
    rows = sampler.table.rows[sampler.order(epoch)[: batches * BATCH]]
    started = time.perf_counter()
    for number, (_, z, y, x) in enumerate(rows.tolist()):
        window = (z, slice(y, y + PATCH_PX), slice(x, x + PATCH_PX))
        step_y, step_x = (-1 if number & bit else 1 for bit in (1, 2))
        for array in (image, mask):
            np.ascontiguousarray(array[window][::step_y, ::step_x])
    return len(rows) / (time.perf_counter() - started)


def pipeline_rate(stream: object, batches: int) -> float:
    """Return patches a second of the pipeline."""
    started = time.perf_counter()
    count = sum(int(images.shape[0]) for images, _ in itertools.islice(stream, batches))
    return count / (time.perf_counter() - started)


def anonymous_bytes() -> int:
    """Return the anonymous resident memory of this process (Linux)."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024


if __name__ == "__main__":
    main()
