"""Trials are resumed, and those of earlier versions are found again."""

import copy
import json
import pathlib
import types

import pytest

from segkit.errors import InputError
from segkit.experiments import trials
from segkit.experiments.plan import RunPlan
from segkit.experiments.trials import read_trial, run_trial

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


def test_a_damaged_trial_is_named(tmp_path):
    assert read_trial(tmp_path) is None
    (tmp_path / "cell.json").write_text("{")
    with pytest.raises(InputError, match=r"cell\.json: damaged .* delete it"):
        read_trial(tmp_path)
