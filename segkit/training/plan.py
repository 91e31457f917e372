"""Everything that decides a training run, as data that can be written, edited and run again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from segkit.arguments import make_fields_plain
from segkit.data.augmentation import Augmentation
from segkit.errors import InputError
from segkit.stored_fields import check_types, from_stored

_WHOLE = {
    "patch_px": 1,
    "stride_px": 1,
    "validation_stride_px": 1,
    "batch_size": 1,
    "positive_copies": 0,
    "epochs": 1,
    "plateau_patience": 1,
    "early_stopping_patience": 1,
    "seed": 0,
}
"""Settings that are whole numbers, with their smallest valid value."""

PRECISIONS = ("auto", "float32", "mixed_bfloat16")
"""What ``TrainingPlan.precision`` may be."""

_LARGEST_SEED = 2**32 - 1  # of NumPy's and Keras's generators


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How patches are cut and a network is fitted to them.

    Attributes:
        patch_px: Side of the square patches [px].
        patch_slices: Slices of a patch, for networks of volumes, which overlap along z by the same share as along y
            and x; ``None`` for patches of single slices.
        stride_px: Step of the sliding window over training slices [px].
        validation_stride_px: Step over validation slices [px].
        batch_size: Patches per step.
        positive_copies: Extra copies of patches that hold foreground.
        weight_limit: Bound of the adaptive weights B/F, positive; ``None`` for no weighting.
        ignore_value: Mask value of unannotated pixels.
        augmentation: Random changes of the training patches; ``Augmentation(flips=False, turns=False)`` for none.
        epochs: Epochs at most.
        learning_rate: Adam's step size at the start.
        decay: Time decay per step: ``learning_rate / (1 + decay * step)``.
        plateau_patience: Epochs without a better score of the task's monitor before the step size is multiplied by
            ``plateau_factor``.
        plateau_factor: See there.
        early_stopping_patience: Epochs without a better score before training stops.
        l2: Strength of the L2 penalty on the kernels.
        precision: ``"auto"``, ``"float32"`` or ``"mixed_bfloat16"``.
        seed: Seed of weights, order and augmentation.
        deterministic: Ask the backend for bitwise repeatable kernels, at some cost of speed.

    Raises:
        InputError: If a setting is out of its range or of another type.
    """

    patch_px: int = 256
    patch_slices: int | None = None
    stride_px: int = 128
    validation_stride_px: int = 256
    batch_size: int = 8
    positive_copies: int = 0
    weight_limit: float | None = None
    ignore_value: int | None = None
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    epochs: int = 100
    learning_rate: float = 1e-3
    decay: float = 0.0
    plateau_patience: int = 3
    plateau_factor: float = 0.5
    early_stopping_patience: int = 10
    l2: float = 0.0
    precision: str = "auto"
    seed: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        make_fields_plain(self)
        for name, least in _WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"plan: {name} is {value!r}; give a whole number of at least {least}")
        for name in ("learning_rate", "decay", "plateau_factor", "l2", "weight_limit"):
            value = getattr(self, name)
            if value is None and name == "weight_limit":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise InputError(f"plan: {name} is {value!r}; give a number that is not negative")
            if not math.isfinite(value):
                raise InputError(f"plan: {name} is {value!r}; give a finite number")
        if self.seed > _LARGEST_SEED:
            raise InputError(f"plan: seed is {self.seed}; give a whole number up to {_LARGEST_SEED}")
        if not self.learning_rate > 0:
            raise InputError(f"plan: learning_rate is {self.learning_rate!r}; give a positive number such as 1e-3")
        if self.weight_limit is not None and not self.weight_limit > 0:
            raise InputError(f"plan: weight_limit is {self.weight_limit!r}; give a positive number, or null")
        if not 0 < self.plateau_factor <= 1:
            raise InputError(f"plan: plateau_factor is {self.plateau_factor!r}; give a number in (0, 1]")
        if not (self.ignore_value is None or isinstance(self.ignore_value, int)):
            raise InputError(f"plan: ignore_value is {self.ignore_value!r}; give a whole number, or null")

        if not isinstance(self.augmentation, Augmentation):
            raise InputError(
                f"plan: augmentation is {self.augmentation!r}; give an Augmentation, for none "
                "Augmentation(flips=False, turns=False)"
            )
        if self.precision not in PRECISIONS:
            raise InputError(f"plan: precision is {self.precision!r}; give {', '.join(PRECISIONS)}")

        slices = self.patch_slices
        if slices is not None and (isinstance(slices, bool) or not isinstance(slices, int) or slices < 1):
            raise InputError(f"plan: patch_slices is {slices!r}; give a positive whole number, or null")
        # Behind the checks above, whose messages give ranges too.
        check_types(TrainingPlan, vars(self), "plan")

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Extent of the patches [px], ``(y, x)`` or ``(z, y, x)``."""
        square = (self.patch_px, self.patch_px)
        return square if self.patch_slices is None else (self.patch_slices, *square)

    def strides(self, use: str) -> tuple[int, ...]:
        """Return the step of the sliding window along each axis of ``patch_shape`` [px].

        Args:
            use: ``"train"``, ``"validation"`` or ``"test"``.
        """
        stride = self.stride_px if use == "train" else self.validation_stride_px
        if self.patch_slices is None:
            return (stride, stride)
        # The same share of overlap along z as along y and x.
        return max(1, self.patch_slices * stride // self.patch_px), stride, stride

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads."""
        values = dataclasses.asdict(self)
        if self.patch_slices is None:
            del values["patch_slices"]  # as plans of single slices have always been written: resuming compares them
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingPlan:
        """Build from ``to_dict``'s dict.

        Raises:
            InputError: If a name is not one of the attributes, so that a typo is not ignored.
        """
        values = dict(values)
        unknown = set(values) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise InputError(f"plan: unknown setting {min(unknown)!r} under 'training'; correct or remove it")
        changes = values.pop("augmentation", {})
        try:
            return cls(**values, augmentation=from_stored(Augmentation, changes, "plan: augmentation"))
        except InputError:
            raise
        except (TypeError, ValueError) as fault:
            raise InputError(f"plan: {fault}") from fault
