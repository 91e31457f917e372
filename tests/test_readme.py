"""Every command of the README runs, with a tiny plan, in a folder with a tomogram and masks."""

import re

import mrcfile
import numpy as np
import pytest
from readme_commands import ENVIRONMENT, README, ROOT, SECTIONS, SETUP, commands, run_as_user, run_warm, write_files

PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
ELSEWHERE = (
    "Several classes, few images",
    "Cells in fluorescence stacks",
)  # in files of their own


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
    done = run_as_user("python -m recipes.segET --structure centriole", folder)
    assert done.returncode == 0, done.stderr
    left = {path.name for path in (folder / "runs/centriole").iterdir()}
    assert left >= {"plan.json", "model.keras", "log.csv", "scores.json", "report.html", "mask-1.mrc", "mask-2.mrc"}
    assert (folder / "saved_models/segET-centriole/1/saved_model.pb").exists()
    assert "phantom" in (folder / "runs/centriole/report.html").read_text()
    assert r"\n" not in done.stderr
    assert any(line.startswith("all ") for line in done.stderr.splitlines()), "the scores, as a table"


def test_a_finished_run_can_be_resumed(folder, warm_python):
    done = run_warm("python -m recipes.segET --structure centriole --resume", folder, warm_python)
    assert done.returncode == 0, done.stderr
    assert "validation loss" not in done.stderr, "nothing is trained again"
    assert [path.name for path in (folder / "saved_models/segET-centriole").iterdir()] == ["1"], "nor served again"


def test_every_other_command_runs_in_the_order_of_the_page(folder, warm_python):
    assert set(ELSEWHERE) < set(SECTIONS)
    lines = [line for title, section in SECTIONS.items() if title not in ELSEWHERE for line in section]
    assert len(lines) >= 8
    for line in lines:
        is_light = line.startswith("segkit info")  # the installed script, and no TensorFlow
        done = run_as_user(line, folder) if is_light else run_warm(line, folder, warm_python)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    with mrcfile.open(folder / "mask.mrc") as mask:
        assert mask.data.shape == (6, 96, 96)
        assert set(np.unique(mask.data)) <= {0, 1}
        np.testing.assert_allclose(float(mask.voxel_size.x), 22.55, rtol=1e-5)
    assert (folder / "labels.legend.json").exists()
    assert len(list((folder / "masks").iterdir())) == 3


def test_a_run_is_predicted_under_a_bound(folder, warm_python):
    before = (folder / "runs/mito/mask.mrc").read_bytes()
    done = run_warm("python -m recipes.segET --out runs/mito --resume --max-ram 3G", folder, warm_python)
    assert done.returncode == 0, done.stderr
    assert "validation loss" not in done.stderr
    with mrcfile.open(folder / "runs/mito/mask.mrc") as mask:
        assert mask.data.tobytes() in before


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_code_runs(code, tmp_path, warm_python):
    program = tmp_path / "example.py"
    program.write_text(code)
    done = warm_python.run([program], tmp_path, **ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    if "to_table" in code:  # what it trains has learnt something
        _, mean_iou, *_ = done.stdout.splitlines()[-1].split()
        assert float(mean_iou) > 0.9
