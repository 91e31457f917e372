"""The resolved plan of a run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.names import check_name
from segkit.experiments.old_plans import upgraded
from segkit.json_object import parse_object, read_object
from segkit.preprocessing.preprocessing import PREPROCESSINGS, Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.stored_fields import check_types
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
        preset: Where the settings came from, for readers: a preset of the recipe (``"paper"``, ``"demo"``,
            ``"small"``), and possibly what it was combined with (``", measured"``, ``", protocol mouse"``).
        data: Labeled tomograms.
        task: What is learnt, and what is made of the network's outputs.
        preprocessing: How voxels are converted to the input of the network; what it leaves open is measured on the
            training slices.
        model: Arguments of the network's builder.
        training: How patches are cut and the network is fitted.
        init: Model file that the weights start from; ``None`` for random weights.
        notices: What a reader of the results must know, such as that the data are a phantom.
        warnings: What may be wrong with the data, such as a mask in the place of ids.

    Raises:
        InputError: If recipe or structure cannot be part of a file name.
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
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Both become parts of the names of files and folders.
        check_name(self.recipe, "plan: recipe")
        check_name(self.structure, "plan: structure")

    def title(self, what: str = "") -> str:
        """Return the title of a report.

        Args:
            what: What the report is about besides a single run; left out where the structure is called so, after the
                folder of the run.
        """
        return f"{self.recipe}: {', '.join(dict.fromkeys(filter(None, (self.structure, what))))}"

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
        check_types(cls, values, "plan")
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
                "warnings": tuple(values.get("warnings", ())),
            }
        )


def missing_settings(path: pathlib.Path) -> list[str]:
    """Return the settings under ``training`` that a plan leaves to the defaults, though every version writes them.

    Args:
        path: A file that ``read_plan`` has read.

    Raises:
        InputError: If it cannot be read any more.
    """
    stored = read_object(path, "a plan").get("training", {})
    # As plans of single slices have always been written.
    return sorted(TrainingPlan().to_dict().keys() - stored.keys())


def write_plan(plan: RunPlan, path: pathlib.Path) -> None:
    """Write a plan as JSON, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(plan.to_dict(), indent=2) + "\n")


def read_plan(path: pathlib.Path) -> RunPlan:
    """Read a plan, edited by hand or not.

    Raises:
        InputError: If there is no such file, or it is not a plan.
    """
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise InputError(f"{path}: no plan can be read ({fault.strerror}); give a plan.json of a run") from fault
    values = parse_object(content, path, "a plan", is_finite=True)
    try:
        return RunPlan.from_dict(values)
    except InputError as fault:
        raise InputError(f"{path}: {fault}") from fault
