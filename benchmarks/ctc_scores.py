"""SEG and DET beside those of py-ctcmetrics, on label images damaged at random.

    pip install py-ctcmetrics
    python -m benchmarks.ctc_scores --out benchmarks/results/ctc_scores.md

Each pair is a sequence of two frames in the challenge's folders: cells grown from random seeds, and the same cells
moved, merged, cut, erased, grown and renumbered.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pathlib
import tempfile

import numpy as np
import tifffile
from ctc_metrics.scripts.evaluate import evaluate_sequence
from skimage.morphology import dilation
from skimage.segmentation import expand_labels

from benchmarks.table import show_table
from segkit.evaluation.evaluate_challenge import evaluate_challenge

FRAMES = 2


def random_labels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return cells grown from random seeds, ids with gaps, uint16."""
    labels = np.zeros(shape, np.uint16)
    count = int(rng.integers(1, 25))
    ids = rng.choice(np.arange(1, 300), count, replace=False)
    labels[tuple(rng.integers(0, size, count) for size in shape)] = ids
    return expand_labels(labels, distance=float(rng.uniform(1, 7))).astype(np.uint16)


def damaged(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return the labels as a segmentation would give them, from a fair one to a hopeless one."""
    harm = rng.random()
    found = np.roll(labels, rng.integers(0, 1 + round(2 * harm), labels.ndim), tuple(range(labels.ndim)))
    ids = np.unique(found)[1:]
    for label in ids[rng.random(len(ids)) < harm]:
        kind = rng.integers(0, 5)
        if kind == 0:
            found[found == label] = 0
        elif kind == 1:
            found[found == label] = rng.choice(ids)
        elif kind == 2:
            half = (found == label) & (np.indices(found.shape)[-1] > rng.integers(0, found.shape[-1]))
            found[half] = found.max() + 1
        elif kind == 3:
            grown = dilation(found == label)
            found[grown & (found == 0)] = label
    if rng.random() < harm:
        found[rng.random(found.shape) < 0.05] = 0
    if rng.random() < harm:
        corner = tuple(slice(0, 2) for _ in found.shape)
        found[corner] = found.max() + 1
    order = rng.permutation(np.arange(1, 1000))[: found.max()].astype(np.uint16)
    return np.concatenate([[0], order]).astype(np.uint16)[found]


def write_sequence(folder: pathlib.Path, frames: list[np.ndarray], names: list[str], tracks: str) -> None:
    """Write frames under the given names, and every id as a track of its own for each frame."""
    for name in names:
        for number, frame in enumerate(frames):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, frame, photometric="minisblack")
    present = [set(np.unique(frame)[1:].tolist()) for frame in frames]
    spans = {label: [number for number, ids in enumerate(present) if label in ids] for label in set.union(*present)}
    lines = [f"{label} {found[0]} {found[-1]} 0" for label, found in sorted(spans.items())]
    (folder / tracks).write_text("\n".join(lines) + "\n")


def main() -> None:
    """Compare and show the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=1000)
    args = parser.parse_args()
    lines = ["| pairs | SEG, range | DET, range | largest difference of SEG | of DET |", "|---|---|---|---|---|"]
    for name, shape in (("2-D", (48, 56)), ("3-D", (10, 24, 28))):
        rows = []
        for seed in range(args.pairs // 2):
            rng = np.random.default_rng([len(shape), seed])
            truth = [random_labels(rng, shape) for _ in range(FRAMES)]
            with tempfile.TemporaryDirectory() as place:
                folder = pathlib.Path(place)
                result, reference = folder / "01_RES", folder / "01_GT"
                write_sequence(
                    reference, truth, ["SEG/man_seg{:03d}.tif", "TRA/man_track{:03d}.tif"], "TRA/man_track.txt"
                )
                write_sequence(result, [damaged(rng, frame) for frame in truth], ["mask{:03d}.tif"], "res_track.txt")
                with contextlib.redirect_stdout(io.StringIO()):
                    theirs = evaluate_sequence(str(result), str(reference), ["SEG", "DET"], threads=1)
                ours = evaluate_challenge(result, reference).to_dict()
            rows.append([ours["SEG"], ours["DET"], abs(ours["SEG"] - theirs["SEG"]), abs(ours["DET"] - theirs["DET"])])
        seg, det, seg_off, det_off = np.array(rows).T
        lines.append(
            f"| {len(rows)}, {name} | {seg.min():.3f} to {seg.max():.3f} | {det.min():.3f} to {det.max():.3f} | "
            f"{seg_off.max():.1e} | {det_off.max():.1e} |"
        )
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
