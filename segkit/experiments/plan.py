"""The resolved plan of a run, and the folder it runs in."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.lock import LOCK_NAME, check_free
from segkit.experiments.old_plans import upgraded
from segkit.preprocessing.preprocessing import PREPROCESSINGS, Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import TASKS, Task
from segkit.training.plan import TrainingPlan
from segkit.volumes.whole_output import whole_file

PLAN_NAME = "plan.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Everything that a run needs to be run again.

    Attributes:
        recipe: Name of the recipe.
        structure: What is segmented.
        preset: Where the settings came from: ``"paper"``, ``"demo"``, or one of them followed by ``", measured"``.
        data: Labeled tomograms.
        task: What is learnt, and what is made of the network's outputs.
        preprocessing: What becomes of the voxels before the network sees them; what it leaves open is measured on the
            training slices.
        model: Arguments of the network's builder.
        training: How patches are cut and the network is fitted.
        init: Model file that the weights start from; ``None`` for random weights.
        notices: What a reader of the results must know, such as that the data are a phantom.
    """

    recipe: str
    structure: str
    preset: str
    data: tuple[Source, ...]
    task: Task = dataclasses.field(default_factory=ForegroundTask)
    preprocessing: Preprocessing = dataclasses.field(default_factory=Standardize)
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: TrainingPlan = dataclasses.field(default_factory=TrainingPlan)
    init: str | None = None
    notices: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **values,
            "data": [dataclasses.asdict(source) for source in self.data],
            "task": TASKS.to_dict(self.task),
            "preprocessing": PREPROCESSINGS.to_dict(self.preprocessing),
            "training": self.training.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunPlan:
        """Build from ``to_dict``'s dict, or from a plan that an earlier version has written.

        Raises:
            InputError: If an entry is unknown, missing or out of range.
        """
        values = upgraded(values)
        known = {field.name for field in dataclasses.fields(cls)}
        for name in set(values) - known:
            raise InputError(f"plan: unknown entry {name!r}; correct or remove it")
        for name in {"recipe", "structure", "preset", "data"} - set(values):
            raise InputError(f"plan: the entry {name!r} is missing")
        if not values["data"]:
            raise InputError("plan: no entry under 'data'; give at least one tomogram with its mask")
        return cls(
            **{
                **values,
                "data": tuple(Source.from_dict(entry) for entry in values["data"]),
                "task": TASKS.from_dict(values.get("task", {"kind": "foreground"})),
                "preprocessing": PREPROCESSINGS.from_dict(values.get("preprocessing", {"kind": "standardize"})),
                "training": TrainingPlan.from_dict(values.get("training", {})),
                "notices": tuple(values.get("notices", ())),
            }
        )


def write_plan(plan: RunPlan, path: pathlib.Path) -> None:
    """Write a plan as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(plan.to_dict(), indent=2) + "\n")


def read_plan(path: pathlib.Path) -> RunPlan:
    """Read a plan, edited by hand or not.

    Raises:
        InputError: If there is no such file, or it is no plan.
    """
    try:
        values = json.loads(path.read_text())
    except OSError as fault:
        raise InputError(f"{path}: no plan can be read ({fault.strerror}); give a plan.json of a run") from fault
    except ValueError as fault:
        raise InputError(f"{path}: not a plan ({fault}); give a plan.json of a run") from fault
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a plan (a JSON object is expected); give a plan.json of a run")
    try:
        return RunPlan.from_dict(values)
    except InputError as fault:
        raise InputError(f"{path}: {fault}") from fault


SEARCH_NAME, CELLS_NAME = "search", "cells"

MODE_NAME = "mode.json"
"""What was begun in a folder beside its plan: one run, a comparison, a search, an ablation."""

COMMANDS_NAME = "commands.txt"
"""The commands that a run was made with, a line each: the first one, and those that went on with it."""

_TRACES = ("state", "model.keras", CELLS_NAME, SEARCH_NAME)
"""What a run that has begun leaves in its folder; a plan alone is none yet."""

_RESULTS = ("tensorboard", COMMANDS_NAME, LOCK_NAME, "log.csv", "magnitudes.csv", "scores.json", "report.html")
_RESULTS += ("comparison.json", "comparison.md", "ablation.json", "ablation.md")


def claim_folder(folder: pathlib.Path, *, resume: bool, overwrite: bool, keeps_plan: bool = False) -> None:
    """Make sure that a run may write into a folder; nothing is made yet.

    Args:
        folder: The run folder.
        resume: The run in it goes on.
        overwrite: What is in it is replaced.
        keeps_plan: A plan alone is not replaced unasked either: it may have been edited, and waits to be started.

    Raises:
        InputError: If another run lies there, one is under way, or there is none to resume.
    """
    there = any((folder / name).exists() for name in _TRACES)
    if resume and not (folder / PLAN_NAME).exists():
        raise InputError(f"{folder}: no run to resume here; leave --resume out, or give its folder with --out")
    if there and not resume and not overwrite:
        raise InputError(
            f"{folder}: holds a run already; go on with --resume, replace it with --overwrite, or choose --out"
        )
    if keeps_plan and (folder / PLAN_NAME).exists() and not resume and not overwrite:
        raise InputError(
            f"{folder}: holds a plan; start it with --resume, replace it with --overwrite, or choose --out"
        )
    check_writable(folder)
    check_free(folder)


@contextlib.contextmanager
def nothing_left_of(folder: pathlib.Path) -> Iterator[None]:
    """Remove a folder that was made inside the block, where the block finds the input wrong."""
    is_new = not folder.exists()
    try:
        yield
    except InputError:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_run(folder: pathlib.Path) -> None:
    """Remove what an earlier run, comparison or search has left, so that nothing of it is taken for the next one's."""
    for path in (*(folder / name for name in (*_TRACES, *_RESULTS)), *folder.glob("[0-9][0-9]_RES")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_writable(folder: pathlib.Path) -> None:
    """Make sure that a folder can be written to, or made; it is not made.

    Raises:
        InputError: If it can not.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise InputError(f"{folder}: can not be written to ({nearest} is no writable folder); choose another one")
