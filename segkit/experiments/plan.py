"""The resolved plan of a run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from segkit.data.sources import Source
from segkit.errors import InputError
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
        classes: Names of all classes in the order of their labels; empty for foreground and background alone.
        coloring: How grey slices become three channels, as ``coloring_to_dict`` says it; ``None`` for grey ones.
        windows: Number of squares along y and x that coloured slices are cut into; ``None`` for whole slices.
        instances: How objects are told apart, as ``InstanceSettings.to_dict`` says it; ``None`` for masks and classes.
        model: Arguments of the network's builder.
        training: How patches are cut and the network is fitted.
        init: Model file that the weights start from; ``None`` for random weights.
        notices: What a reader of the results must know, such as that the data are a phantom.
    """

    recipe: str
    structure: str
    preset: str
    data: tuple[Source, ...]
    classes: tuple[str, ...] = ()
    coloring: Mapping[str, Any] | None = None
    windows: tuple[int, int] | None = None
    instances: Mapping[str, Any] | None = None
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: TrainingPlan = dataclasses.field(default_factory=TrainingPlan)
    init: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def needs_centers(self) -> bool:
        """Whether objects are told apart by centres, which a second network finds."""
        return self.instances is not None and self.instances.get("method") == "centers"

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunPlan:
        """Build from ``to_dict``'s dict.

        Raises:
            InputError: If an entry is unknown, missing or out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in set(values) - known:
            raise InputError(f"plan: unknown entry {name!r}; correct or remove it")
        for name in {"recipe", "structure", "preset", "data"} - set(values):
            raise InputError(f"plan: the entry {name!r} is missing")
        if values.get("instances"):
            # Here, not above: SciPy and scikit-image take longer to load than --help and mistakes should.
            from segkit.instances.segment_instances import InstanceSettings

            InstanceSettings.from_dict(values["instances"])
        if not values["data"]:
            raise InputError("plan: no entry under 'data'; give at least one tomogram with its mask")
        return cls(
            **{
                **values,
                "data": tuple(Source.from_dict(entry) for entry in values["data"]),
                "training": TrainingPlan.from_dict(values.get("training", {})),
                "classes": tuple(values.get("classes", ())),
                "windows": tuple(windows) if (windows := values.get("windows")) else None,
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
