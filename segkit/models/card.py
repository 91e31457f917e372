"""What must be stored with a trained model to use it: its task, its preprocessing, its voxel size."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from segkit.arguments import make_fields_plain
from segkit.errors import InputError
from segkit.models.card_name import check_card_name
from segkit.models.old_cards import upgraded
from segkit.preprocessing.grey_values import GreyValues
from segkit.preprocessing.preprocessing import PREPROCESSINGS, Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.stored_fields import from_stored
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import TASKS, Task

FORMAT = 2
"""Number of the layout of cards, raised where their entries change their meaning."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What is known about a network, stored in its ``.keras`` file and its SavedModel.

    Attributes:
        name: Name under which it is served, such as ``"segET-centriole"``; it becomes that of a folder.
        structure: What the foreground is; for several classes a word for all of them.
        task: What the network has learnt, and what is made of its outputs; one structure by default.
        preprocessing: How voxels are converted to the input of the network, with the numbers that were measured; by
            default they are left as they are (mean 0, standard deviation 1).
        voxel_size_nm: Voxel size of the training data, ``(z, y, x)``, or ``None`` where unknown.
        dtype: Type of the training voxels as the file held them, such as ``"int8"``; ``None`` where unknown.
        grey_values: What the training voxels were like, so that others are noticed; ``None`` where it is unknown.
        multiple_px: Height and width that the network takes are multiples of this.
        halo_px: Context that a tile needs on every side for its result to equal the whole slice's; ``None`` where it is
            unknown, or the network looks at its whole input.
        tile_px: Side of the tiles that a network which looks at its whole input was trained on, and is best used on;
            ``None`` where the size does not matter.
        provenance: Plan, scores and versions of the training, for people to read.

    Raises:
        ValueError: If the name cannot be that of a folder, ``task`` is no ``Task``, the preprocessing has settings that
            are ``None`` and still to be measured, a size or number of pixels is not positive, ``dtype`` is no type of
            NumPy, or ``tile_px`` is not more than two halos.
    """

    name: str
    structure: str
    task: Task = dataclasses.field(default_factory=ForegroundTask)
    preprocessing: Preprocessing = dataclasses.field(default_factory=lambda: Standardize(mean=0.0, std=1.0))
    voxel_size_nm: tuple[float, float, float] | None = None
    dtype: str | None = None
    grey_values: GreyValues | None = None
    multiple_px: int = 1
    halo_px: int | None = None
    tile_px: int | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        make_fields_plain(self)
        check_card_name(self.name)
        if not isinstance(self.task, Task):
            raise ValueError(f"`task` must be a Task. Received: task={self.task!r}")
        if not self.preprocessing.is_measured:
            raise ValueError(f"`preprocessing` must be measured. Received: preprocessing={self.preprocessing!r}")
        if self.voxel_size_nm is not None:
            object.__setattr__(self, "voxel_size_nm", tuple(float(v) for v in self.voxel_size_nm))
            size = self.voxel_size_nm
            if len(size) != 3 or not all(math.isfinite(extent) and extent > 0 for extent in size):
                raise ValueError(
                    f"`voxel_size_nm` must be three positive numbers [nm]. Received: voxel_size_nm={size!r}"
                )
        for name, least in {"multiple_px": 1, "halo_px": 0, "tile_px": 1}.items():
            value = getattr(self, name)
            if value is None and name != "multiple_px":
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise ValueError(
                    f"`{name}` must be a whole number of at least {least} [px]. Received: {name}={value!r}"
                )
        if self.dtype is not None and not _is_dtype(self.dtype):
            raise ValueError(f"`dtype` must be a type of NumPy, such as 'int8'. Received: dtype={self.dtype!r}")
        if self.tile_px is not None and self.halo_px is not None and self.tile_px <= 2 * self.halo_px:
            raise ValueError(
                f"`tile_px` must be more than two halos. Received: tile_px={self.tile_px!r}, halo_px={self.halo_px!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            "format": FORMAT,
            **values,
            "grey_values": None if self.grey_values is None else dataclasses.asdict(self.grey_values),
            "task": TASKS.to_dict(self.task),
            "preprocessing": PREPROCESSINGS.to_dict(self.preprocessing),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelCard:
        """Build from ``to_dict``'s dict, or from a card that an earlier version has written.

        Entries of later versions that this one does not know are left out.

        Raises:
            InputError: If an entry is missing or of another type, task or preprocessing are of an unknown kind or have
                settings out of their range, or the layout is that of a later version.
        """
        _check_format(values.get("format", FORMAT))
        values = upgraded(values)
        known = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in values.items() if key in known}
        task, preprocessing = (
            TASKS.from_dict(values["task"]),
            PREPROCESSINGS.from_dict(values.get("preprocessing")),
        )
        found = values.get("grey_values")
        grey_values = None if found is None else from_stored(GreyValues, found, "model card: grey_values")
        parts = {"task": task, "preprocessing": preprocessing, "grey_values": grey_values}
        return from_stored(cls, {**values, **parts}, "model card")


def _check_format(number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"model card: format {number!r}; give a whole number")
    if number > FORMAT:
        raise InputError(
            f"model card: format {number}, written by a later version of segkit; this one reads formats up to "
            f"{FORMAT}: install a newer segkit"
        )


def _is_dtype(name: str) -> bool:
    try:
        np.dtype(name)
    except TypeError:
        return False
    return True
