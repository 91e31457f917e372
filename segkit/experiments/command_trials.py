"""Trials that are runs of a recipe, started as a user starts them."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from segkit.errors import InputError
from segkit.experiments.plan import PLAN_NAME
from segkit.experiments.resume import SCORES_NAME
from segkit.json_object import read_object


def run_command_trial(
    module: str, words: Sequence[str], folder: pathlib.Path, *, resume_with_words: bool = False
) -> dict[str, Any]:
    """Run a recipe in a process of its own, unless an earlier call has; an interrupted run is resumed.

    Args:
        module: Module of the recipe, such as ``"recipes.fre"``.
        words: Its arguments, but for the run folder and the root folder of SavedModels, which is put into the former.
        folder: Run folder.
        resume_with_words: Give the arguments to a resumed run too, which some recipes refuse.

    Returns:
        The scores of the run, as ``scores.json`` holds them.

    Raises:
        InputError: If the command fails; it has said why.
    """
    scores = folder / SCORES_NAME
    if not scores.exists():
        is_begun = (folder / PLAN_NAME).exists()
        given = [*(words if resume_with_words or not is_begun else ()), *(["--resume"] if is_begun else [])]
        command = [sys.executable, "-m", module, *given, "--out", str(folder)]
        command += ["--saved-models", str(folder / "saved_models")]
        if subprocess.run(command, check=False).returncode:
            raise InputError(f"{folder}: not run, for the reason above; correct it and run the same command again")
    return read_object(scores, "the scores of a run")
