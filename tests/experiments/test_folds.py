"""Cross-validation: which slices a fold has, and what is left of all."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_recipe import TOY, happened, write_stack

from segkit.data.sources import Source, write_slices
from segkit.data.splits import parse_slices
from segkit.errors import InputError
from segkit.experiments import recipe, training_run
from segkit.experiments.folder import has_begun
from segkit.experiments.folds import fold_sources, write_summary
from segkit.experiments.plan import read_plan, write_plan
from segkit.experiments.recipe import drafts_of, parse_args, run_recipe
from segkit.model_path import fold_folders
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume

USES = ("train", "validation", "test")


def slices_of(source):
    return {use: set(parse_slices(text, 10**6)) if (text := getattr(source, use)) else set() for use in USES}


@given(
    annotated=st.lists(st.sets(st.integers(0, 60), min_size=5, max_size=20), min_size=1, max_size=7),
    count=st.integers(3, 5),
)
def test_every_slice_is_scored_once_and_trained_on_in_all_other_folds_but_one(annotated, count):
    sources = [
        Source(tomogram=f"{n}", mask="m", train=write_slices(sorted(slices)), channel=1)
        for n, slices in enumerate(annotated)
    ]
    folds = [fold_sources(sources, number, count) for number in range(count)]
    for n, slices in enumerate(annotated):
        uses = [slices_of(fold[n]) for fold in folds]
        for z in slices:
            assert [sum(z in found[use] for found in uses) for use in USES] == [count - 2, 1, 1]
        assert all(set.union(*found.values()) == slices for found in uses)
        if len(annotated) >= count:  # as wholes
            assert all(sorted(map(len, found.values())) == [0, 0, len(slices)] for found in uses)
    for fold in folds:
        assert all(any(getattr(source, use) for source in fold) for use in USES)
        assert {source.channel for source in fold} == {1}


def test_neighbours_stay_together():
    one = Source(tomogram="t", mask="m", train="1-4,6-9", validation="0,5", test="10-11")
    folds = [fold_sources([one], number, 4)[0] for number in range(4)]
    assert [fold.test for fold in folds] == ["0-2", "3-5", "6-8", "9-11"]
    assert [fold.validation for fold in folds] == ["3-5", "6-8", "9-11", "0-2"]


def test_too_few_slices_or_folds_are_refused():
    with pytest.raises(InputError, match=r"T\.mrc: 2 annotated slices, but 3 folds"):
        fold_sources([Source(tomogram="T.mrc", mask="m", train="3", validation="5")], 0, 3)
    with pytest.raises(InputError, match="--folds 2; give at least 3"):
        drafts_of(TOY, parse_args(TOY, ["--out", "run", "--folds", "2"]))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "TINY", False)
    happened.clear()


def as_if_run(job, *, resume, saved_models, **_):
    """Leave what a run leaves: scores that tell which slices were tested."""
    assert saved_models is None, "three networks of one name are none to be served"
    happened.append(("run", job.folder.name, resume))
    share = float(np.mean(job.volumes[0].split.test)) / 10
    scores = {"total": {"foreground_iou": share, "dice": 2 * share, "slices": 2}, "training_seconds": 1.0}
    (job.folder / "scores.json").write_text(json.dumps(scores))
    (job.folder / "report.html").write_text("of a fold")


def test_folds_are_scored_and_summed_up(monkeypatch):
    monkeypatch.setattr(training_run, "run", as_if_run)
    run_recipe(TOY, ["--out", "run", "--folds", "3", "--width", "1"])
    root = pathlib.Path("run")
    assert happened.count("make data") == 1
    assert fold_folders(root) == [root / f"fold-{n}" for n in (1, 2, 3)]
    plans = [read_plan(folder / "plan.json") for folder in fold_folders(root)]
    assert [plan.data[0].test for plan in plans] == ["0-1", "2-3", "4-5"]
    assert [plan.preset for plan in plans] == [f"toy, fold {n} of 3" for n in (1, 2, 3)]
    found = json.loads((root / "folds.json").read_text())["folds"]
    shares = [
        json.loads((folder / "scores.json").read_text())["total"]["foreground_iou"] for folder in fold_folders(root)
    ]
    assert found == [
        {"folder": f"fold-{n}", "Foreground IoU": share, "Dice": 2 * share} for n, share in enumerate(shares, 1)
    ]
    head, _, *lines = [line.strip("| ").split(" | ") for line in (root / "folds.md").read_text().splitlines()]
    assert (head, [line[0] for line in lines]) == (
        ["fold", "Foreground IoU", "Dice"],
        ["fold-1", "fold-2", "fold-3", "mean"],
    )
    assert lines[-1][1] == f"{np.mean(shares):.4f} \N{PLUS-MINUS SIGN} {np.std(shares, ddof=1):.4f}"
    page = (root / "report.html").read_text()
    assert "toy: disc, 3 folds" in page and lines[-1][1] in page
    # One fold was interrupted: only that one goes on.
    (root / "fold-2" / "scores.json").unlink()
    assert write_summary(root) is None
    happened.clear()
    for words in (["--folds", "4"], ["--width", "3"]):
        with pytest.raises(InputError, match=rf"{words[0]}.* cannot be combined with --resume of 3 folds"):
            run_recipe(TOY, ["--out", "run", "--resume", *words])
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert [one for one in happened if one[0] == "run"] == [("run", "fold-2", True)]
    assert json.loads((root / "folds.json").read_text())["folds"] == found


def test_folds_that_have_ended_are_not_made_again(monkeypatch, caplog):
    monkeypatch.setattr(training_run, "run", as_if_run)
    root = pathlib.Path("run")

    def made(*words):
        happened.clear()
        run_recipe(TOY, ["--out", "run", *words])
        return [one[1] for one in happened if one[0] == "run"]

    made("--folds", "3")
    (root / "folds.md").unlink()  # as if it was killed before that
    with caplog.at_level("INFO", logger="segkit.run"):
        assert made("--resume") == []
    assert "all runs have ended and stay as they are; give more --epochs to train on" in caplog.messages
    assert (root / "folds.md").exists()
    assert made("--resume", "--epochs", "1") == []
    assert made("--resume", "--epochs", "2") == ["fold-1", "fold-2", "fold-3"]
    # As if it had been interrupted in the last one, which has the plan of before.
    plan = read_plan(root / "fold-3" / "plan.json")
    write_plan(
        dataclasses.replace(plan, training=dataclasses.replace(plan.training, epochs=1)), root / "fold-3/plan.json"
    )
    assert made("--resume", "--epochs", "2") == ["fold-3"]


def test_all_commands_that_made_the_folds_are_remembered(monkeypatch):
    monkeypatch.setattr(training_run, "run", as_if_run)
    for words in (["--folds", "3", "--plan-only"], ["--resume"], ["--resume", "--epochs", "2"]):
        monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.toy", "--out", "run", *words])
        run_recipe(TOY, ["--out", "run", *words])
    commands = pathlib.Path("run/commands.txt").read_text()
    told = ["--folds 3 --plan-only", "--resume", "--resume --epochs 2"]
    assert [line.split("--out run ")[1] for line in commands.splitlines()] == told
    assert commands.strip() in pathlib.Path("run/report.html").read_text()
    assert pathlib.Path("run/fold-3/commands.txt").read_text() == commands
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "recipes.toy", "--overwrite"])
    run_recipe(TOY, ["--out", "run", "--folds", "3", "--overwrite"])
    assert len(pathlib.Path("run/commands.txt").read_text().splitlines()) == 1


def test_folds_of_another_recipe_are_not_resumed(monkeypatch):
    monkeypatch.setattr(training_run, "run", as_if_run)
    run_recipe(TOY, ["--out", "run", "--folds", "3"])
    with pytest.raises(
        InputError, match=r"^run: holds a run of the recipe toy, not of fre; resume it with .* --out run"
    ):
        run_recipe(dataclasses.replace(TOY, name="fre"), ["--out", "run", "--resume"])


def test_folds_and_other_runs_do_not_mix(monkeypatch):
    monkeypatch.setattr(training_run, "run", lambda job, **_: (job.folder / "model.keras").write_text("of a fold"))
    root = pathlib.Path("run")
    run_recipe(TOY, ["--out", "run", "--folds", "4"])
    for words in (["--folds", "3"], []):
        with pytest.raises(InputError, match="run: already holds a run; resume it with --resume, replace it with"):
            run_recipe(TOY, ["--out", "run", *words])
    (root / "folds.md").write_text("of four")
    run_recipe(TOY, ["--out", "run", "--folds", "3", "--overwrite"])
    assert sorted(path.name for path in root.glob("fold*")) == ["fold-1", "fold-2", "fold-3"]
    run_recipe(TOY, ["--out", "run", "--overwrite"])
    assert not list(root.glob("fold*")) and has_begun(root)
    with pytest.raises(InputError, match="run: already holds a run"):
        run_recipe(TOY, ["--out", "run", "--folds", "3"])
    run_recipe(TOY, ["--out", "run", "--folds", "3", "--overwrite"])
    assert not (root / "plan.json").exists() and not (root / "mode.json").exists(), "of the single run"
    pathlib.Path("runs/fold-change").mkdir(parents=True)
    (pathlib.Path("runs/fold-change/plan.json")).write_text("{}")
    assert not fold_folders(pathlib.Path("runs")) and not has_begun(pathlib.Path("runs"))


def test_plans_of_folds_wait_together(capsys, monkeypatch):
    monkeypatch.setattr(training_run, "run", as_if_run)
    run_recipe(TOY, ["--out", "run", "--folds", "3", "--plan-only"])
    assert capsys.readouterr().err.count("start it with --out run --resume") == 3
    run_recipe(TOY, ["--out", "run", "--resume"])
    assert [one[1] for one in happened if one[0] == "run"] == ["fold-1", "fold-2", "fold-3"]
    assert pathlib.Path("run/folds.md").exists()


@pytest.mark.parametrize("words", [["--test-z", "3"], ["--validation-tomogram", "T.mrc"], ["--hold-out-every", "3"]])
def test_what_slices_are_for_is_not_chosen_twice(words):
    from recipes import segET

    volume = np.zeros((8, 16, 16), np.uint8)
    volume[:, 4:8, 4:8] = 1
    for name in ("T.mrc", "M.mrc", "V.mrc"):
        save_volume(name, Volume(array=volume))
    argv = ["--structure", "golgi", "--tomogram", "V.mrc", "--mask", "M.mrc", "--validation-mask", "M.mrc"]
    argv = argv if "--validation-tomogram" in words else argv[:-2]
    with pytest.raises(InputError, match="cannot be combined with --folds, which splits the data itself"):
        drafts_of(segET.RECIPE, parse_args(segET.RECIPE, [*argv, "--folds", "3", *words]))


def test_what_folds_are_not_for(monkeypatch):
    write_stack()
    monkeypatch.setattr(training_run, "run", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(InputError, match="--folds cannot be combined with a comparison or a search"):
        run_recipe(TOY, ["--out", "run", "--folds", "3", "--compare"])
    with pytest.raises(InputError, match="--folds cannot be combined with --resume; name the folder of the folds"):
        run_recipe(TOY, ["--out", "run", "--folds", "3", "--resume"])
