"""The README's commands by section, a folder with all files that they name, and a way to run them."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import mrcfile
import numpy as np
import tifffile

from segkit.data.cell_simulation import CellSimulation
from segkit.data.simulated_cells import simulate_cells
from segkit.volumes.challenge import write_frame
from segkit.volumes.volume import Volume

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETUP = "python3 -m venv .venv && .venv/bin/pip install "


def commands(text):
    """Return the lines of the shell blocks."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines() if line]


SECTIONS = {
    part.partition("\n")[0]: [line for line in commands(part) if not line.startswith(SETUP)]
    for part in re.split(r"^## ", README, flags=re.MULTILINE)
}


ENVIRONMENT = {"SEGKIT_TINY_PLAN": "1", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
SEGKIT = "from segkit.cli import run; run()"  # as the script that is installed
SMALLER_ENCODER = """
import runpy, sys
sys.path.append({tests!r})
from tiny_encoder import FIVE_LEVELS
from segkit.models.encoders import ENCODERS
ENCODERS["efficientnet_b0"] = FIVE_LEVELS
sys.argv[:2] = sys.argv[1:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
""".format(tests=str(ROOT / "tests"))


def run_as_user(line, folder):
    """Run a command in a process of its own from its start, through what is installed."""
    program, *words = shlex.split(line)
    script = pathlib.Path(sys.executable).with_name("segkit")
    if program == "python":
        command = [sys.executable]
    else:
        command = [str(script)] if script.exists() else [sys.executable, "-c", SEGKIT]
    variables = {**os.environ, **ENVIRONMENT}
    return subprocess.run([*command, *words], cwd=folder, env=variables, capture_output=True, text=True)


def run_warm(line, folder, python, *, smaller_encoder=False):
    """Run a command in a process that has imported TensorFlow already.

    Args:
        line: The command.
        folder: Where to run it, with the files that it names.
        python: The fixture ``warm_python``.
        smaller_encoder: Put an encoder of five layers in the place of EfficientNet.
    """
    program, *words = shlex.split(line)
    if program == "segkit":
        words = ["-c", SEGKIT, *words]
    elif smaller_encoder:
        words = ["-c", SMALLER_ENCODER, *words[1:]]
    return python.run(words, folder, **ENVIRONMENT)


def write_files(place):
    """Write tomograms, masks, images, labels and stacks."""
    rng = np.random.default_rng(0)
    disc = np.hypot(*np.mgrid[-48:48, -48:48]) < 20
    mask = np.repeat(disc[None], 6, axis=0).astype(np.int8)
    for name, array in (
        ("T.mrc", (60 * mask + rng.normal(0, 20, mask.shape)).astype(np.int8)),
        ("M.mrc", mask),
        ("S.mrc", mask),
        ("G.mrc", np.roll(mask, 30, axis=2)),
    ):
        with mrcfile.new(place / name) as mrc:
            mrc.set_data(array)
            mrc.voxel_size = 22.55
    for name in ("A.mrc", "B.mrc", "C.mrc"):
        shutil.copy(place / "T.mrc", place / name)
    images = np.clip(60 * np.stack([mask, np.roll(mask, 30, axis=2)]).sum(0) + rng.normal(60, 20, mask.shape), 0, 255)
    labels = mask + 2 * np.roll(mask, 30, axis=2) * (mask == 0)
    for name, stack in (("I.tif", images), ("L.tif", labels)):
        tifffile.imwrite(place / name, stack.astype(np.uint8), photometric="minisblack")
    write_cells(place)


def write_cells(place):
    simulation = CellSimulation(shape=(5, 48, 48), count=3, voxel_size_um=(2.0, 0.8, 0.8))
    for number in range(3):
        image, labels = simulate_cells(simulation, number)
        size = {"voxel_size_nm": (2000.0, 800.0, 800.0)}
        write_frame(place / "Fluo-C3DL-MDA231", number, Volume(array=image, **size), Volume(array=labels, **size))
        for folder, array in (("stacks", image), ("labels", labels)):
            (place / folder).mkdir(exist_ok=True)
            tifffile.imwrite(place / folder / f"s{number}.tif", array, photometric="minisblack")
    tifffile.imwrite(place / "stack.tif", image, photometric="minisblack")
    tifffile.imwrite(place / "truth.tif", labels, photometric="minisblack")
