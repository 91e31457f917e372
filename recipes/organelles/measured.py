"""Settings of a structure that the paper does not have, derived from its mask on the training slices."""

from __future__ import annotations

import argparse
import dataclasses

from recipes.organelles.structures import Structure, demo_plan, measured_structure, paper_plan
from segkit.data.sources import check_any_foreground, open_source
from segkit.errors import InputError
from segkit.experiments.arguments import overridden
from segkit.experiments.plan import RunPlan
from segkit.progress import ProgressLine
from segkit.training.preparation import shrink_patch, tabulate


def measured(plan: RunPlan, *, args: argparse.Namespace) -> RunPlan:
    """Return a plan of a structure that the paper does not have, its settings measured on the training patches.

    Raises:
        InputError: If a file cannot be read, or the training slices have no foreground.
    """
    from segkit.models.seget import seget_multiple_px  # Keras takes longer to load than --help and mistakes should

    to_plan, ignore_value = demo_plan if args.preset == "demo" else paper_plan, args.ignore_value
    progress = ProgressLine("measuring the mask")
    shared = {"ignore_value": ignore_value, "check": plan.task.check_annotation, "progress": progress, "tell": False}
    volumes = [open_source(source, **shared) for source in plan.data]
    check_any_foreground(volumes)
    # Patch size and strides are the same for all structures; the rest of this plan is not used.
    cut = dataclasses.replace(to_plan(Structure(name=plan.structure, epochs=1)), ignore_value=ignore_value)
    table = tabulate(volumes, "train", shrink_patch(cut, volumes, seget_multiple_px(), tell=False))
    if not table.positive.any():
        raise InputError(
            f"{plan.structure}: no foreground on the training slices; choose slices where the mask has foreground"
        )
    ratio, share = table.background_to_foreground(), float(table.positive.mean())
    training = to_plan(measured_structure(plan.structure, ratio, share))
    notice = (
        f"Not one of the paper's structures: weights and copies follow from the training patches. "
        f"{100 * share:.0f} % of them have foreground, with {ratio:.1f} times as much background on average."
    )
    training = overridden(dataclasses.replace(training, ignore_value=ignore_value), args)
    return dataclasses.replace(plan, training=training, notices=(*plan.notices, notice))
