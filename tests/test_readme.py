"""Every command of the README runs, with a tiny plan, in a folder with a tomogram and masks."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import mrcfile
import numpy as np
import pytest
import tifffile

from segkit.data.simulated_cells import CellSimulation, simulate_cells
from segkit.volumes.challenge import write_frame
from segkit.volumes.volume import Volume

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SETUP = "python3 -m venv .venv && .venv/bin/pip install "
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line and not line.startswith(SETUP)]
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def environment():
    return {
        **os.environ,
        "SEGKIT_TINY_PLAN": "1",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def run(line, folder):
    words = shlex.split(line)
    prefix = {"python": [sys.executable], "segkit": [sys.executable, "-c", "from segkit.cli import run; run()"]}
    command = [*prefix[words[0]], *words[1:]]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("readme")
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
    images = np.clip(60 * np.stack([mask, np.roll(mask, 30, axis=2)]).sum(0) + rng.normal(60, 20, mask.shape), 0, 255)
    labels = mask + 2 * np.roll(mask, 30, axis=2) * (mask == 0)
    for name, stack in (("I.tif", images), ("L.tif", labels)):
        tifffile.imwrite(place / name, stack.astype(np.uint8), photometric="minisblack")
    write_cells(place)
    return place


def write_cells(place):
    simulation = CellSimulation(shape=(5, 48, 48), count=3, voxel_size_um=(2.0, 0.8, 0.8))
    for number in range(3):
        image, labels = simulate_cells(simulation, number)
        write_frame(place / "Fluo-C3DL-MDA231", number, Volume(array=image), Volume(array=labels))
        for folder, array in (("stacks", image), ("labels", labels)):
            (place / folder).mkdir(exist_ok=True)
            tifffile.imwrite(place / folder / f"s{number}.tif", array, photometric="minisblack")
    tifffile.imwrite(place / "stack.tif", image, photometric="minisblack")
    tifffile.imwrite(place / "truth.tif", labels, photometric="minisblack")


def test_the_two_commands_are_there_and_set_everything_up_themselves():
    setups = [line for block in BLOCKS for line in block.splitlines() if line.startswith(SETUP)]
    assert [line.split(" && ")[1:] for line in setups] == [
        [".venv/bin/pip install .", ".venv/bin/python -m recipes.segET --structure centriole"],
        [".venv/bin/pip install '.[test]'", ".venv/bin/python -m pytest -n 2 --dist loadfile"],
    ]


def test_the_first_command_runs_on_a_phantom(folder):
    done = run("python -m recipes.segET --structure centriole", folder)
    assert done.returncode == 0, done.stderr
    left = {path.name for path in (folder / "runs/centriole").iterdir()}
    assert left >= {"plan.json", "model.keras", "log.csv", "scores.json", "report.html", "mask-1.mrc", "mask-2.mrc"}
    assert (folder / "saved_models/segET-centriole/1/saved_model.pb").exists()
    assert "phantom" in (folder / "runs/centriole/report.html").read_text()


def test_a_finished_run_can_be_resumed_and_predicted_under_a_bound(folder):
    done = run("python -m recipes.segET --structure centriole --resume --max-ram 3G", folder)
    assert done.returncode == 0, done.stderr
    assert "validation loss" not in done.stderr, "nothing is trained again"
    assert [path.name for path in (folder / "saved_models/segET-centriole").iterdir()] == ["1"], "nor served again"


def test_every_other_command_runs_in_the_order_of_the_page(folder):
    assert len(COMMANDS) >= 8
    for line in COMMANDS:
        done = run(line, folder)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    with mrcfile.open(folder / "mask.mrc") as mask:
        assert mask.data.shape == (6, 96, 96)
        assert set(np.unique(mask.data)) <= {0, 1}
        np.testing.assert_allclose(float(mask.voxel_size.x), 22.55, rtol=1e-5)
    assert (folder / "labels.legend.json").exists()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_code_runs(code, tmp_path):
    program = tmp_path / "example.py"
    program.write_text(code)
    done = subprocess.run([sys.executable, str(program)], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
