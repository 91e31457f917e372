"""Trials are resumed, and those of earlier versions are found again."""

import copy
import json
import pathlib
import types

import pytest

from segkit.errors import InputError
from segkit.experiments import trials
from segkit.experiments.plan import RunPlan
from segkit.experiments.trials import read_trial, run_trial, trial_plan

ROOT = pathlib.Path(__file__).parents[2]
KEPT = ROOT / "benchmarks/results/cells/fre_hela_nucleolus/fre-0.json"


def plan_of(kept):
    """A plan as the version that wrote the trial wrote it."""
    data = [
        {"tomogram": f"data/{files[0]}", "mask": f"data/{files[1]}"}
        | dict(zip(("train", "validation", "test"), slices, strict=True))
        for files, slices in zip(kept["files"], kept["slices"], strict=True)
    ]
    shared = {name: kept[name] for name in ("classes", "model", "training")}
    return RunPlan.from_dict({"recipe": "fre", "structure": "s", "preset": "small", "data": data, **shared})


@pytest.fixture
def kept():
    return json.loads(KEPT.read_text())


@pytest.fixture
def no_training(monkeypatch):
    def train(*_args, **_kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(trials, "train", train)


def test_a_trial_that_an_earlier_version_finished_is_not_run_again(kept, tmp_path, no_training):
    (tmp_path / "cell.json").write_text(json.dumps(kept))
    job = types.SimpleNamespace(plan=plan_of(kept["plan"]), folder=tmp_path)
    assert run_trial(job, lambda *_: {}) == kept


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("model", "gain", 9.0, r"gain 250\.0, not 9\.0"),
        ("training", "seed", 4, "seed 0, not 4"),
        ("training", "epochs", 60, "epochs 70, not 60"),
    ],
)
def test_a_trial_of_another_plan_is_refused(part, name, value, message, kept, tmp_path, no_training):
    (tmp_path / "cell.json").write_text(json.dumps(kept))
    other = copy.deepcopy(kept["plan"])
    other[part][name] = value
    with pytest.raises(InputError, match=message):
        run_trial(types.SimpleNamespace(plan=plan_of(other), folder=tmp_path), lambda *_: {})


def test_the_committed_grid_is_resumed(tmp_path):
    from benchmarks.fre_grid import GAINS, NUM_ENHANCED, known_cells

    path = ROOT / "benchmarks/results/fre_grid.json"
    kept = json.loads(path.read_text())
    plan = trial_plan(plan_of(kept["plan"]))
    table = {"num_enhanced": NUM_ENHANCED, "gains": GAINS, "plan": plan, "cells": []}
    assert len(known_cells(path, table)) == len(kept["cells"]) > 0
    fewer = {**plan, "training": {**plan["training"], "epochs": 1}}
    with pytest.raises(InputError, match="not 1"):
        known_cells(path, {**table, "plan": fewer})
    more = {**plan, "training": {**plan["training"], "epochs": 1000}}
    with pytest.raises(InputError, match="a table with another epochs"):
        known_cells(path, {**table, "plan": more})


def test_what_a_search_of_an_earlier_version_is_about_is_brought_up_to_date(kept, tmp_path):
    pytest.importorskip("keras_tuner")
    from segkit.experiments.settings_search import upgrade_identity

    path = tmp_path / "search.json"
    identity = trial_plan(plan_of(kept["plan"]))
    upgrade_identity(path, identity)
    assert not path.exists()
    path.write_text(json.dumps(kept["plan"]))
    upgrade_identity(path, identity)
    assert json.loads(path.read_text()) == identity
    other = {**kept["plan"], "classes": ["a", "b"]}
    path.write_text(json.dumps(other))
    upgrade_identity(path, identity)
    assert json.loads(path.read_text()) == other


def test_a_damaged_trial_is_named(tmp_path):
    assert read_trial(tmp_path) is None
    (tmp_path / "cell.json").write_text("{")
    with pytest.raises(InputError, match=r"cell\.json: damaged; delete it"):
        read_trial(tmp_path)
