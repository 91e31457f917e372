"""One annotation drawn, cut and damaged in every way that users do: what is trained on, and what is told?

python -m benchmarks.annotation_situations --out annotation_situations.md

Every row is a plan that a recipe would be started with (``--plan-only``) on ten slices of bright discs, or an
evaluation of a good mask against the annotation.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from skimage.measure import label

from benchmarks.table import show_table
from segkit.data.splits import parse_slices
from segkit.experiments.tables import Table
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume

_SHAPE = (10, 96, 96)
_PAINTED = [2, 5, 8]
_UNSAID = ("voxel size", "are resized to", "patches shrink")  # what is told of the data whatever the annotation is

RECIPES = {
    "segET": ["--structure", "disc", "--preset", "demo"],
    "fre": [],
    "efficientcellseg": ["--preset", "small", "--encoder-weights", "none", "--instances", "components"],
}


def discs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a tomogram with bright discs, uint8, and their mask of 0 and 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: _SHAPE[1], : _SHAPE[2]]
    mask = np.zeros(_SHAPE, np.uint8)
    for _ in range(9):
        z, cy, cx = rng.integers(0, _SHAPE[0]), rng.integers(8, 88), rng.integers(8, 88)
        for k in range(max(0, z - 2), min(_SHAPE[0], z + 3)):
            mask[k][np.hypot(y - cy, x - cx) < 7 - abs(k - z)] = 1
    return (90 + 60 * mask + rng.normal(0, 15, _SHAPE)).clip(0, 255).astype(np.uint8), mask


def situations(image: np.ndarray, mask: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Return annotations with the options that are given for them."""
    some = np.zeros_like(mask)
    some[_PAINTED] = mask[_PAINTED]
    block, forgotten = np.zeros_like(mask), mask.copy()
    block[3:6], forgotten[5] = mask[3:6], 0
    strokes = np.zeros_like(mask)
    for row in (20, 45, 70):
        strokes[:, row : row + 3] = 1 + mask[:, row : row + 3]
    unknown = mask.copy()
    unknown[:, :, :20] = 255
    return {
        "all slices painted": (mask, []),
        "3 of 10 slices painted": (some, []),
        "3 of 10 slices painted, --annotation slices": (some, ["--annotation", "slices"]),
        "a block of 3 of 10 slices painted": (block, []),
        "one slice forgotten": (forgotten, []),
        "strokes of background and structure": (strokes, []),
        "strokes, --annotation strokes": (strokes, ["--annotation", "strokes"]),
        "left part unknown (255)": (unknown, []),
        "left part unknown, --ignore-value 255": (unknown, ["--ignore-value", "255"]),
        "--ignore-value 77, which does not occur": (mask, ["--ignore-value", "77"]),
        "nothing painted": (0 * mask, []),
        "0 and 255": (255 * mask, []),
        "rows upside down": (mask[:, ::-1], []),
        "rows upside down, --flip-y": (mask[:, ::-1], ["--flip-y"]),
        "x and y exchanged": (mask.transpose(0, 2, 1), []),
        "slices in reverse order": (mask[::-1], []),
        "inverted": (1 - mask, []),
        "of another volume": (discs(1)[1], []),
        "one slice fewer": (mask[:-1], []),
        "the tomogram in its place": (image, []),
    }


def numbered(drawn: np.ndarray) -> np.ndarray:
    """Return an id for every disc, and other values as they are."""
    ids = label(drawn == 1).astype(np.uint16)
    return drawn if (drawn == 2).any() or len(np.unique(drawn)) > 3 else np.where(drawn > 1, drawn, ids)


def told_by(command: list[str], folder: pathlib.Path) -> tuple[int, list[str]]:
    """Return the status of a command, and its errors, warnings and notes about the annotation."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in done.stderr.splitlines() if line.startswith(("error: ", "warning: ", "note: "))]
    return done.returncode, [line for line in lines if not any(word in line for word in _UNSAID)]


def planned(recipe: str, options: list[str], folder: pathlib.Path) -> list[str]:
    """Return what a recipe makes of an annotation: slices to train on, and what it tells."""
    names = ("--tomogram", "--mask") if recipe == "segET" else ("--images", "--labels")
    ids = "ids.tif" if recipe == "efficientcellseg" else "mask.tif"
    place = f"{recipe}-run"
    words = [f"recipes.{recipe}", names[0], "image.tif", names[1], ids, *RECIPES[recipe], *options]
    status, lines = told_by([*words, "--out", place, "--plan-only", "--overwrite"], folder)
    if status:
        return ["refused", "; ".join(lines)]
    (source,) = json.loads((folder / place / "plan.json").read_text())["data"]
    return [f"{len(parse_slices(source['train'], _SHAPE[0]))} slices", "; ".join(lines) or "-"]


def main() -> None:
    """Try all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    image, mask = discs(0)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        save_volume(folder / "image.tif", Volume(array=image))
        save_volume(folder / "good.tif", Volume(array=mask))
        for situation, (drawn, options) in situations(image, mask).items():
            separate = numbered(drawn)
            for path, array in (("mask.tif", drawn), ("ids.tif", separate)):
                save_volume(folder / path, Volume(array=np.ascontiguousarray(array)), overwrite=True)
            for recipe in RECIPES:
                rows.append([situation, recipe, *planned(recipe, options, folder)])
                print(" | ".join(rows[-1]), flush=True)
            flags = [word for word in options if word not in ("--annotation", "slices", "strokes")]
            command = ["segkit", "evaluate", "--prediction", "good.tif", "--reference", "mask.tif", *flags]
            status, lines = told_by(command, folder)
            rows.append([situation, "segkit evaluate", "refused" if status else "scored", "; ".join(lines) or "-"])
            print(" | ".join(rows[-1]), flush=True)
    show_table(Table(["annotation", "given to", "trained on", "told"], rows).to_markdown().splitlines(), args.out)


if __name__ == "__main__":
    main()
