"""A trial that is a command is run once, resumed where it was begun, and named where it fails."""

import json
import types

import pytest

from segkit.errors import InputError
from segkit.experiments import command_trials
from segkit.experiments.command_trials import run_command_trial


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Commands that are only noted down; the second one finishes."""
    given = []

    def run(command, check):
        given.append(command[1:])
        (tmp_path / "plan.json").write_text("{}")
        if len(given) == 2:
            (tmp_path / "scores.json").write_text(json.dumps({"total": {"seg": 0.5}}))
        return types.SimpleNamespace(returncode=0 if len(given) == 2 else 2)

    monkeypatch.setattr(command_trials.subprocess, "run", run)
    return given


@pytest.mark.parametrize("with_words", [False, True])
def test_an_interrupted_command_is_resumed_and_a_finished_one_is_not_run(with_words, commands, tmp_path):
    how = {"resume_with_words": with_words}
    with pytest.raises(InputError, match="not run, for the reason above"):
        run_command_trial("recipes.x", ["--seed", "1"], tmp_path, **how)
    for _ in range(2):
        assert run_command_trial("recipes.x", ["--seed", "1"], tmp_path, **how) == {"total": {"seg": 0.5}}
    end = ["--out", str(tmp_path), "--saved-models", str(tmp_path / "saved_models")]
    assert commands == [
        ["-m", "recipes.x", "--seed", "1", *end],
        ["-m", "recipes.x", *(["--seed", "1"] if with_words else []), "--resume", *end],
    ]
