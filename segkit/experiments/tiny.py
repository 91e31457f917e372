"""Plans that run in seconds, to try every command."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from segkit.experiments.plan import RunPlan

NOTICE = (
    "SEGKIT_TINY_PLAN is set: a tiny network and two epochs, one seed in a comparison and at most two trials in a "
    "search, whatever --epochs, --seeds and --search say. The scores mean nothing."
)


def tiny_plan(plan: RunPlan, *, model: Mapping[str, Any], **training: Any) -> RunPlan:
    """Return a plan of two epochs on patches of 32 px.

    Args:
        plan: The plan.
        model: Arguments of the network's builder that make it tiny; the others stay.
        **training: More changes of the plan's training.
    """
    small = {"patch_px": 32, "stride_px": 48, "validation_stride_px": 32, "batch_size": 8, "epochs": 2}
    return dataclasses.replace(
        plan,
        model={**plan.model, **model},
        training=dataclasses.replace(plan.training, **small, **training),
        notices=tuple(dict.fromkeys((*plan.notices, NOTICE))),
    )
