"""How objects are separated, as plans and model cards store it."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from segkit.errors import InputError
from segkit.stored_fields import from_stored

METHODS = ("components", "distance", "centers")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InstanceSettings:
    """How objects are separated.

    Attributes:
        method: ``"components"``: voxels connected by faces are one object. ``"distance"``: a watershed from the places
            farthest from the background, for roundish objects that touch. ``"centers"``: a watershed from the peaks of
            a second network's heatmap, for irregular ones.
        threshold: Probability above which a voxel belongs to an object, in [0, 1].
        slice_wise: Separate objects in every slice and join them along z afterwards, for slices that lie far apart;
            otherwise in 3-D.
        seed_distance: Half the side of the box in which a seed is the highest [unit of the voxel size]; objects that
            touch and whose centres are closer become one.
        smoothing: Standard deviation of the Gaussian that smooths the distance map [unit of the voxel size].
        min_depth: For the method ``"distance"``: an object is cut in two only where it narrows by at least this share
            of its thinner part's half width, in [0, 1); 0 cuts between all seeds.
        center_threshold: Height above which a peak of the heatmap is a centre.
        min_iou: Least intersection over union of the parts that slices are joined by.
        min_size: Objects of fewer voxels are left out.
        fill: Give holes to the object around them, slice by slice where objects are separated so or there is one
            slice.

    Raises:
        InputError: If a value is out of its range.
    """

    method: Literal["components", "distance", "centers"] = "distance"
    threshold: float = 0.5
    slice_wise: bool = False
    seed_distance: float = 5.0
    smoothing: float = 1.0
    min_depth: float = 0.05
    center_threshold: float = 0.3
    min_iou: float = 0.25
    min_size: int = 1
    fill: bool = True

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.method not in METHODS:
            raise InputError(f"instances: method {self.method!r}; give one of {', '.join(METHODS)}")
        for name in ("slice_wise", "fill"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"instances: {name} {getattr(self, name)!r}; give true or false")
        for name in ("threshold", "center_threshold", "min_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"instances: {name} {getattr(self, name)}; give a number from 0 to 1")
        if not 0 <= self.min_depth < 1:
            raise InputError(f"instances: min_depth {self.min_depth}; give a fraction from 0 to below 1")
        for name in ("seed_distance", "smoothing", "min_size"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"instances: {name} {getattr(self, name)}; give 0 or more")

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InstanceSettings:
        """Build from ``to_dict``'s dict.

        Raises:
            InputError: If a name is unknown, or a value of another type or out of range.
        """
        return from_stored(cls, values, "instances")


def median_settings(settings: Sequence[InstanceSettings]) -> InstanceSettings:
    """Return the median of every number in some settings.

    Args:
        settings: Settings that separate objects in the same way.

    Raises:
        InputError: If they separate objects in different ways.

    Example:
        >>> found = [InstanceSettings(min_size=size) for size in (169, 25, 81)]
        >>> median_settings(found).min_size
        81
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(InstanceSettings):
        found = [getattr(one, field.name) for one in settings]
        if isinstance(found[0], (bool, str)):
            if other := [value for value in found if value != found[0]]:
                raise InputError(
                    f"instances: {field.name} {found[0]!r} of one model and {other[0]!r} of another; only models that "
                    "separate objects in the same way can be averaged"
                )
            values[field.name] = found[0]
        else:
            middle = statistics.median(found)
            values[field.name] = round(middle) if field.name == "min_size" else middle
    return InstanceSettings(**values)
