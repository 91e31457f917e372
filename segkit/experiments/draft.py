"""What a command line means, before anything is written: a plan that may still wait for its data."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from segkit.experiments.plan import RunPlan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """A plan that may still wait for its data.

    Everything that can be refused by the command line alone is refused while drafts are made; what takes long, or
    writes, is left to ``make_data`` and ``measure``, which are called in this order when nothing is left to refuse.

    Attributes:
        plan: The plan, its data named whether they exist or not.
        folder: Run folder.
        make_data: Writes the data that the plan names into the run folder, such as simulated stacks; ``None`` where
            they are there. Drafts that share data share the function, which is called once.
        measure: Returns the plan with what follows from its data; ``None`` where nothing does.
        split_notice: The notice of the plan that tells which data are for what; a fold has another split, and none.
        is_fold: The run is one of a cross-validation; its folder is in that of all folds.
    """

    plan: RunPlan
    folder: pathlib.Path
    make_data: Callable[[], None] | None = None
    measure: Callable[[RunPlan], RunPlan] | None = None
    split_notice: str | None = None
    is_fold: bool = False
