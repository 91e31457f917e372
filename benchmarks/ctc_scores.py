"""SEG and DET beside those of py-ctcmetrics, on label images damaged at random.

    pip install py-ctcmetrics
    python -m benchmarks.ctc_scores --data testdata/01 --out benchmarks/results/ctc_scores.md

Each pair is a sequence of two frames in the challenge's folders: cells grown from random seeds, and the same cells
moved, merged, cut, erased, grown and renumbered. Markers are parts of the cells; in half of the sequences a fifth of
the cells have a marker alone, and in some the second frame has markers alone. ``--data S`` adds the sequence of
``S_RES`` and ``S_GT``.
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


def markers(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return a part of every cell, at least a voxel."""
    kept = rng.random(labels.shape) < rng.uniform(0.2, 1)
    _, first = np.unique(labels, return_index=True)
    kept.flat[first] = True
    return np.where(kept, labels, 0).astype(labels.dtype)


def without_some(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return the labels without a fifth of the cells, but never without all."""
    ids = np.unique(labels)[1:]
    gone = ids[1:][rng.random(len(ids) - 1) < 0.2]
    return np.where(np.isin(labels, gone), 0, labels).astype(labels.dtype)


def write_frames(folder: pathlib.Path, frames: list[np.ndarray], name: str) -> None:
    """Write frames under a name that takes their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        tifffile.imwrite(folder / name.format(number), frame, photometric="minisblack")


def write_tracks(path: pathlib.Path, frames: list[np.ndarray]) -> None:
    """Write every id as a track of its own."""
    present = [set(np.unique(frame)[1:].tolist()) for frame in frames]
    spans = {label: [number for number, ids in enumerate(present) if label in ids] for label in set.union(*present)}
    lines = [f"{label} {found[0]} {found[-1]} 0" for label, found in sorted(spans.items())]
    path.write_text("\n".join(lines) + "\n")


def both(result: pathlib.Path, reference: pathlib.Path) -> list[float]:
    """Return our SEG and DET, and how far theirs are away."""
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = evaluate_sequence(str(result), str(reference), ["SEG", "DET"], threads=1)
    ours = evaluate_challenge(result, reference).to_dict()
    return [ours["SEG"], ours["DET"], abs(ours["SEG"] - theirs["SEG"]), abs(ours["DET"] - theirs["DET"])]


def main() -> None:
    """Compare and show the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--data", nargs="*", default=[], metavar="S", help="sequences, S_RES and S_GT")
    args = parser.parse_args()
    lines = ["| pairs | SEG, range | DET, range | largest difference of SEG | of DET |", "|---|---|---|---|---|"]
    for name, shape in (("2-D", (48, 56)), ("3-D", (10, 24, 28))):
        rows = []
        for seed in range(args.pairs // 2):
            rng = np.random.default_rng([len(shape), seed])
            truth = [random_labels(rng, shape) for _ in range(FRAMES)]
            found = [damaged(rng, frame) for frame in truth]
            marked = [markers(rng, frame) for frame in truth]
            if seed % 2:
                truth = [without_some(rng, frame) for frame in truth][: 1 + seed % 3]
            with tempfile.TemporaryDirectory() as place:
                result, reference = pathlib.Path(place, "01_RES"), pathlib.Path(place, "01_GT")
                write_frames(reference / "SEG", truth, "man_seg{:03d}.tif")
                write_frames(reference / "TRA", marked, "man_track{:03d}.tif")
                write_frames(result, found, "mask{:03d}.tif")
                write_tracks(reference / "TRA" / "man_track.txt", marked)
                write_tracks(result / "res_track.txt", found)
                rows.append(both(result, reference))
        seg, det, seg_off, det_off = np.array(rows).T
        lines.append(
            f"| {len(rows)}, {name} | {seg.min():.3f} to {seg.max():.3f} | {det.min():.3f} to {det.max():.3f} | "
            f"{seg_off.max():.1e} | {det_off.max():.1e} |"
        )
    for sequence in args.data:
        seg, det, seg_off, det_off = both(pathlib.Path(f"{sequence}_RES"), pathlib.Path(f"{sequence}_GT"))
        name = "/".join(pathlib.Path(sequence).parts[-2:])
        lines.append(f"| {name} | {seg:.3f} | {det:.3f} | {seg_off:.1e} | {det_off:.1e} |")
    show_table(lines, args.out)


if __name__ == "__main__":
    main()
