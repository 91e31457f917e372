"""Every command of the README's section on stacks of cells runs, with a tiny plan, and leaves what it should.

The commands run once; the tests look at their results, or work on a copy of them.
"""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tifffile
from readme_commands import SECTIONS, run_warm, write_files
from tiny_encoder import FIVE_LEVELS

from recipes import efficientcellseg
from segkit.errors import InputError
from segkit.experiments.plan import read_plan
from segkit.models.encoders import ENCODERS
from segkit.models.files import read_card
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.volumes.files import open_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory, warm_python):
    """Run all commands in one folder; what they wrote to the console is in ``console``, in a file for each."""
    place = tmp_path_factory.mktemp("cells")
    write_files(place)
    (place / "console").mkdir()
    lines = SECTIONS["Cells in fluorescence stacks"]
    assert lines[0] == "python -m recipes.efficientcellseg"
    assert len(lines) >= 6
    for number, line in enumerate(lines):
        done = run_warm(line, place, warm_python, smaller_encoder=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        (place / "console" / str(number)).write_text(done.stderr)
    return place


def test_a_run_leaves_scores_and_a_served_model(folder):
    scores = json.loads((folder / "runs/nuclei/scores.json").read_text())
    assert "seg" in scores["total"]
    assert any(notice.startswith("SEGKIT_TINY_PLAN is set") for notice in scores["notices"])
    assert (folder / "saved_models/efficientcellseg-nuclei/1/saved_model.pb").exists()


def test_from_the_challenges_folders_to_seg_and_a_report(folder, monkeypatch):
    monkeypatch.chdir(folder)
    scores = json.loads(pathlib.Path("runs/mda231/scores.json").read_text())
    assert set(scores["otsu"]) == set(scores["total"]) >= {"seg", "ap_50", "mean_iou", "objects"}
    assert scores["total"]["objects"] == scores["otsu"]["objects"] > 0
    assert [entry["tomogram"] for entry in scores["scores"]] == ["Fluo-C3DL-MDA231/01/t002.tif"]
    labels = open_volume("runs/mda231/labels-3.tif")
    assert labels.shape == (5, 48, 48)
    assert labels.voxel_size_nm == pytest.approx((2000, 800, 800))
    assert not pathlib.Path("runs/mda231/labels-2.tif").exists()  # stacks that are not scored are not predicted
    card = read_card("runs/mda231")
    assert (card.task.kind, card.task.instances.method) == ("centers", "centers")
    assert isinstance(card.preprocessing.coloring, Pseudocoloring)
    page = pathlib.Path("runs/mda231/report.html").read_text()
    for title in (
        "SEG, whole cells",
        "SEG of Otsu",
        "Best and worst objects",
        "Sizes of objects",
        "rough mask, to be red",
        "random weights: no ImageNet weights were found",
    ):
        assert title in page
    result = pathlib.Path("runs/mda231/01_RES")
    assert sorted(path.name for path in result.iterdir()) == [f"mask{frame:03d}.tif" for frame in range(3)]
    console = pathlib.Path("console/2").read_text()
    assert "result of the whole sequence, 2 of its frames were trained on or chose the checkpoint" in console
    np.testing.assert_array_equal(tifffile.imread(result / "mask002.tif"), labels.array[:])


def test_a_run_of_the_challenge_is_resumed_for_more_epochs(folder, tmp_path, monkeypatch):
    for name in ("Fluo-C3DL-MDA231", "runs/mda231"):
        shutil.copytree(folder / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ENCODERS, "efficientnet_b0", FIVE_LEVELS)
    run, result = pathlib.Path("runs/mda231"), pathlib.Path("runs/mda231/01_RES")
    with pytest.raises(InputError, match="runs/mda231: already holds a run"):
        efficientcellseg.main(["--ctc", "Fluo-C3DL-MDA231", "--instances", "centers", "--out", str(run)])
    before = read_plan(run / "plan.json")
    (result / "mask009.tif").write_bytes(b"of an earlier run")
    efficientcellseg.main(["--out", str(run), "--resume", "--epochs", "3"])
    assert len((run / "log.csv").read_text().splitlines()) == 4
    assert read_plan(run / "plan.json").task == before.task
    with pytest.raises(InputError, match="runs/mda231: 3 epochs are done, only 2 were requested"):
        efficientcellseg.main(["--out", str(run), "--resume", "--epochs", "2"])
    assert read_plan(run / "plan.json").training.epochs == 3
    assert sorted(path.name for path in result.iterdir()) == [f"mask{frame:03d}.tif" for frame in range(3)]
