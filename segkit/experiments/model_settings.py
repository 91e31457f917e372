"""What a plan holds under ``model``, which may have been edited by hand, checked before anything is built."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TypeVar

from segkit.experiments.plan import RunPlan
from segkit.stored_fields import from_stored

Settings = TypeVar("Settings")


def model_settings(cls: type[Settings], plan: RunPlan, file: pathlib.Path | None = None) -> Settings:
    """Return what a plan holds under ``model`` as a dataclass of its recipe.

    Args:
        cls: The dataclass; its annotations say what each setting must be.
        plan: The plan.
        file: File that the plan was read from, for messages; ``None`` where it has none.

    Raises:
        InputError: If a setting is unknown, missing, of another type or out of range.
    """
    what = "plan: under 'model'"
    return from_stored(cls, plan.model, what if file is None else f"{file}: {what}")


def check_counts(name: str, values: Sequence[int], least: int = 1) -> None:
    """Check a list of positive whole numbers.

    Args:
        name: Name of the setting.
        values: Its value, whose types were checked before.
        least: Smallest number of entries.

    Raises:
        ValueError: If an entry is not positive, or there are too few.
    """
    if len(values) < least or min(values) < 1:
        raise ValueError(
            f"`{name}` must be a list of positive whole numbers, at least {least}. Received: {name}={list(values)!r}"
        )
