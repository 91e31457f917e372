"""Cost of separating and scoring cells, compared with the bare library calls.

    python -m benchmarks.instances_speed --out benchmarks/results/instances_speed.md

A probability volume of 64 x 1024 x 1024 voxels with 5,000 cells: ``segment_instances`` (distance watershed in 3-D, and
slice by slice with joining) beside the calls of SciPy and scikit-image that it needs; SEG of two such
volumes beside one ``np.unique`` over the pairs of foreground ids (of either volume, each pair packed into one number),
with 500, 5,000 and 50,000 cells. In turn, in one process; medians of the ratios of each round.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from benchmarks.table import show_table
from segkit.evaluation.seg_score import reference_jaccards
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.label_overlaps import count_overlaps
from segkit.instances.segment_instances import segment_instances

VOXEL_SIZE = (2.0, 1.0, 1.0)
SETTINGS = InstanceSettings(method="distance", seed_distance=6.0, smoothing=1.0, min_size=20, fill=False)


def spheres(shape: tuple[int, int, int], count: int, seed: int) -> np.ndarray:
    """Return ids of that many flat ellipsoids on a jittered grid, int32; close neighbours touch."""
    rng = np.random.default_rng(seed)
    pitch = (np.prod(shape) * VOXEL_SIZE[0] / count) ** (1 / 3)
    steps = [max(1, round(size * extent / pitch)) for size, extent in zip(shape, VOXEL_SIZE, strict=True)]
    steps[2] = -(-count // (steps[0] * steps[1]))
    labels = np.zeros(shape, np.int32)
    radius = 0.42 * pitch
    for number, place in enumerate(np.ndindex(*steps), start=1):
        if number > count:
            break
        center = [
            (at + 0.5 + rng.uniform(-0.12, 0.12)) * size / step
            for at, size, step in zip(place, shape, steps, strict=True)
        ]
        reach = [radius / extent for extent in VOXEL_SIZE]
        box = tuple(
            slice(max(0, int(c - r)), min(size, int(c + r) + 2))
            for c, r, size in zip(center, reach, shape, strict=True)
        )
        axes = [(np.arange(part.start, part.stop) - c) / r for part, c, r in zip(box, center, reach, strict=True)]
        inside = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2 < 1
        labels[box][inside & (labels[box] == 0)] = number
    return labels


def bare_watershed(probability: np.ndarray) -> np.ndarray:
    """Return the result of the library calls that the method needs, without segkit."""
    mask = probability > SETTINGS.threshold
    distance = ndimage.distance_transform_edt(mask, sampling=VOXEL_SIZE).astype(np.float32)
    distance = ndimage.gaussian_filter(distance, [SETTINGS.smoothing / extent for extent in VOXEL_SIZE])
    box = [2 * round(SETTINGS.seed_distance / extent) + 1 for extent in VOXEL_SIZE]
    peaks = (distance > 0) & mask & (distance == ndimage.maximum_filter(distance, size=box))
    return watershed(-distance, label(peaks), mask=mask)


def compared(rounds: int, **functions: Callable[[], object]) -> tuple[dict[str, float], list[float]]:
    """Return the median seconds of each function, and the first over the second in every round."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    one, other = times.values()
    return {name: statistics.median(taken) for name, taken in times.items()}, [
        a / b for a, b in zip(one, other, strict=True)
    ]


def row(name: str, seconds: dict[str, float], ratios: list[float]) -> str:
    """Return a line of the table."""
    one, other = seconds.values()
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return f"| {name} | {one:.2f} | {other:.2f} | {spread} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(64, 1024, 1024), metavar=("Z", "Y", "X"))
    parser.add_argument("--cells", type=int, nargs="+", default=[500, 5000, 50000])
    parser.add_argument("--parts", nargs="+", default=["watershed", "seg"], choices=["watershed", "seg"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    shape = tuple(args.shape)
    lines = [
        f"{' x '.join(map(str, shape))} voxels of {VOXEL_SIZE}; {args.rounds} rounds in turn; seconds are medians, "
        "ratios medians with the lowest and highest.",
        "",
        "| what | segkit [s] | bare calls [s] | ratio |",
        "|---|---|---|---|",
    ]
    middle = args.cells[len(args.cells) // 2]
    if "watershed" in args.parts:
        probability = (spheres(shape, middle, 0) > 0).astype(np.float32)
        seconds, ratios = compared(
            args.rounds,
            segkit=lambda: segment_instances(probability, SETTINGS, voxel_size=VOXEL_SIZE),
            bare=lambda: bare_watershed(probability),
        )
        lines.append(row(f"distance watershed in 3-D, {middle:,} cells", seconds, ratios))
        seconds, ratios = compared(
            args.rounds,
            segkit=lambda: segment_instances(
                probability, InstanceSettings(method="components", slice_wise=True, fill=False), voxel_size=VOXEL_SIZE
            ),
            bare=lambda: [label(part > 0.5, connectivity=1) for part in probability],
        )
        lines.append(
            row(f"components slice by slice and joined (bare: labelled, not joined), {middle:,} cells", seconds, ratios)
        )
    for count in args.cells if "seg" in args.parts else ():
        truth, found = spheres(shape, count, 0), np.roll(spheres(shape, count, 0), 2, axis=2)
        known = (truth != 0) | (found != 0)  # SEG needs the sizes of objects too
        pairs = truth[known].astype(np.int64) * (count + 1) + found[known]
        seconds, ratios = compared(
            args.rounds,
            segkit=lambda truth=truth, found=found: reference_jaccards(count_overlaps(truth, found)).mean(),
            bare=lambda pairs=pairs: np.unique(pairs, return_counts=True),
        )
        lines.append(
            row(f"SEG of {count:,} cells (bare: `np.unique` over the pairs of foreground ids)", seconds, ratios)
        )
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
