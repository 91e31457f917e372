"""Every command of the README's section on images of several classes runs, with a tiny plan, and leaves what it should.

The commands run once; the tests look at their results, or work on a copy of them.
"""

import csv
import json
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
from readme_commands import SECTIONS, run_warm, write_files

from recipes import fre
from segkit.errors import InputError
from segkit.evaluation.class_scores import class_scores
from segkit.experiments.class_comparison import class_rows, class_summary, class_table
from segkit.experiments.comparison import Trial
from segkit.experiments.enhancement_methods import METHODS
from segkit.experiments.plan import read_plan
from segkit.experiments.trials import read_trial
from segkit.layers import FREnhance
from segkit.models.files import load_model, read_card
from segkit.volumes.files import open_volume

NAMES = ("background", "membrane", "nucleus")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, warm_python):
    """Run all commands in one folder."""
    place = tmp_path_factory.mktemp("classes")
    write_files(place)
    lines = SECTIONS["Several classes, few images"]
    assert lines[0].startswith("python -m recipes.fre ")
    assert len(lines) >= 6
    for line in lines:
        done = run_warm(line, place, warm_python)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return place


@pytest.fixture
def here(folder, monkeypatch):
    """Stand in the folder, in which nothing may be trained again."""

    def no_training(*_args, **_kwargs):
        raise AssertionError("trained again")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(keras.Model, "fit", no_training)


def trials_of(run):
    """Return the points that a search has tried."""
    with open(f"{run}/search/trials.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_leaves_a_model_labels_scores_and_a_report(here):
    scores = json.loads(pathlib.Path("runs/I/scores.json").read_text())
    for use in ("validation", "test"):
        for statistics in ("reestimated", "running"):
            entry = scores["tiles"][use][statistics]
            assert np.sum(entry["confusion"]) == 96 * 96
            expected = class_scores(np.asarray(entry["confusion"]), list(NAMES))
            assert {name: entry[name] for name in expected} == expected
    found = scores["tiles"]["validation"]
    assert found["reestimated"]["mean_iou"] == pytest.approx(scores["best_epoch"]["val_mean_iou"], abs=1e-6)
    assert found["reestimated"]["confusion"] != found["running"]["confusion"]
    card = read_card("runs/I")
    assert (card.task.class_names, card.tile_px, card.halo_px) == (NAMES, 32, None)
    assert open_volume("runs/I/labels.tif").shape == (6, 96, 96)
    (scored,) = (line for line in SECTIONS["Several classes, few images"] if line.startswith("segkit evaluate "))
    (source,) = read_plan(pathlib.Path("runs/I/plan.json")).data
    assert re.search(r"--slices (\S+)", scored)[1] == source.test  # images that were used for nothing else
    page = pathlib.Path("runs/I/report.html").read_text()
    for text in ("IoU: nucleus", "test, running statistics", "end of the encoder", "maps not enhanced", "swatch"):
        assert text in page
    assert pathlib.Path("saved_models/fre-I/1/saved_model.pb").exists()
    with open("runs/I/magnitudes.csv", newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["0", "1", "2"]
    assert any(isinstance(layer, FREnhance) for layer in load_model("runs/I").layers)


def test_a_finished_run_is_neither_trained_nor_exported_again(here):
    served = set(pathlib.Path("saved_models/fre-I").iterdir())  # by this run, the search and halving
    assert len(served) == 3
    fre.main(["--out", "runs/I", "--resume"])
    assert set(pathlib.Path("saved_models/fre-I").iterdir()) == served


def test_a_search_becomes_the_run_of_its_best_trial(here):
    rows = trials_of("runs/searched")
    assert len(rows) == 2
    best = max(rows, key=lambda row: float(row["score"]))
    plan = read_plan(pathlib.Path("runs/searched/plan.json"))
    assert plan.model["num_enhanced"] == int(best["num_enhanced"])
    assert plan.model["gain"] == float(best["gain"])
    scores = json.loads(pathlib.Path("runs/searched/scores.json").read_text())
    assert scores["best_epoch"]["val_mean_iou"] == pytest.approx(float(best["score"]), abs=1e-4)
    assert "All 2 trials" in pathlib.Path("runs/searched/report.html").read_text()
    fre.main(["--out", "runs/searched", "--resume"])
    with pytest.raises(InputError, match="holds a search, not a halving"):
        fre.main(["--halving", "--out", "runs/searched", "--resume"])
    assert read_plan(pathlib.Path("runs/searched/plan.json")) == plan


def test_halving_becomes_the_run_of_its_best_trial(here):
    best = max(trials_of("runs/searched-fast"), key=lambda row: float(row["score"]))
    plan = read_plan(pathlib.Path("runs/searched-fast/plan.json"))
    assert plan.model["gain"] == float(best["gain"])
    fre.main(["--out", "runs/searched-fast", "--resume"])
    assert read_plan(pathlib.Path("runs/searched-fast/plan.json")) == plan


def read_cells(methods, seeds):
    return {name: [read_trial(pathlib.Path(f"runs/compared/cells/{name}-{n}")) for n in seeds] for name in methods}


def test_methods_are_compared_and_a_comparison_goes_on(folder, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    shutil.copytree(folder / "runs" / "compared", tmp_path / "runs" / "compared")
    for name in ("I.tif", "L.tif"):
        shutil.copy(folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    before = read_cells(("fre",), [0])
    fre.main(["--out", "runs/compared", "--resume", "--methods", "fre", "--seeds", "2"])
    cells = read_cells(("fre",), [0, 1])
    assert {name: found[:1] for name, found in cells.items()} == before
    comparison = json.loads(pathlib.Path("runs/compared/comparison.json").read_text())
    classes = comparison["classes"]
    rows = class_rows([Trial(name, seed, cells[name][seed]) for seed in (0, 1) for name in cells])
    assert comparison["rows"] == rows
    assert comparison["summary"] == class_summary(rows, classes)
    row = next(r for r in comparison["summary"] if (r["method"], r["statistics"]) == ("fre", "running"))
    values = [cell["tiles"]["test"]["running"]["mean_iou"] for cell in cells["fre"]]
    assert values[0] != values[1]
    assert row["mean_iou"] == pytest.approx([np.mean(values), abs(values[0] - values[1]) / 2**0.5])
    table = pathlib.Path("runs/compared/comparison.md").read_text()
    assert table.strip() == class_table(rows, classes, {name: METHODS[name].title for name in cells}).to_markdown()
    assert f"{row['mean_iou'][0]:.4f} ± {row['mean_iou'][1]:.4f} |" in table
    page = pathlib.Path("runs/compared/report.html").read_text()
    assert "U-Net + SE" in (folder / "runs/compared/report.html").read_text()
    for text in ("FREnhance", "Validation mIoU", "Mean magnitude", "re-estimated", "tile at y"):
        assert text in page
    assert not pathlib.Path("runs/compared/cells/fre-0/state").exists()


def test_a_comparison_is_resumed_with_its_own_settings_only(here):
    plan = pathlib.Path("runs/compared/plan.json").read_bytes()
    with pytest.raises(InputError, match="learning_rate"):
        fre.main(["--out", "runs/compared", "--resume", "--learning-rate", "0.5"])
    assert pathlib.Path("runs/compared/plan.json").read_bytes() == plan
    with pytest.raises(InputError, match="holds a compare, not a search"):
        fre.main(["--out", "runs/compared", "--resume", "--search", "2"])
