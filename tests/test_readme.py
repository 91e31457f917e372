"""Every command of the README runs, with a tiny plan, in a folder with a tomogram and masks."""

import re
import subprocess
import sys

import mrcfile
import numpy as np
import pytest
from readme_commands import README, ROOT, SECTIONS, SETUP, commands, environment, run, write_files

PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
ELSEWHERE = ("Several classes, few images", "Cells in fluorescence stacks")  # in a file of their own, for two workers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("readme")
    write_files(place)
    return place


def test_the_two_commands_are_there_and_set_everything_up_themselves():
    setups = [line for line in commands(README) if line.startswith(SETUP)]
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
    assert set(ELSEWHERE) < set(SECTIONS)
    lines = [line for title, section in SECTIONS.items() if title not in ELSEWHERE for line in section]
    assert len(lines) >= 8
    for line in lines:
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
