"""The network of a plan of ``recipes.efficientcellseg``."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import keras

from recipes.cells.settings import ModelSettings
from segkit.errors import InputError
from segkit.experiments.cell_evidence import ColoringSteps, OtsuBaseline
from segkit.experiments.job import Network
from segkit.experiments.model_settings import model_settings
from segkit.experiments.plan import RunPlan
from segkit.experiments.statistics import statistics_batches
from segkit.models.efficient_cell_seg import cells_and_centers, efficient_cell_seg
from segkit.models.encoders import ENCODERS
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.training.preparation import Prepared
from segkit.training.reestimate_statistics import ReestimateStatistics

STATISTICS_STEPS = 4
"""Batches that the statistics of normalisation are taken from: Keras's encoders move theirs by a hundredth per step,
and a training of a few hundred steps would be validated with statistics of its beginning."""


def network(plan: RunPlan) -> Network:
    """Return the builder of a plan's network.

    Raises:
        InputError: If a setting under ``model`` is unknown, missing or wrong.
    """
    check_encoder(model_settings(ModelSettings, plan).encoder)

    def build(*, with_centers: bool = False, **settings: Any) -> keras.Model:
        builder = cells_and_centers if with_centers else efficient_cell_seg
        return builder(size=plan.training.patch_px, **settings)

    def callbacks(model: keras.Model, prepared: Prepared, folder: pathlib.Path) -> list[keras.callbacks.Callback]:
        return [ReestimateStatistics(statistics_batches(prepared, STATISTICS_STEPS))]

    evidence = (OtsuBaseline(), ColoringSteps())
    return Network(build, multiple_px=1, halo_px=None, callbacks=callbacks, evidence=evidence)


def check_encoder(name: str | None) -> None:
    """Refuse an unknown encoder; ``None`` is the preset's.

    Raises:
        InputError: If it is unknown.
    """
    if name is not None and name not in ENCODERS:
        raise InputError(f"encoder {name!r}; give one of {', '.join(ENCODERS)}")


def settle(plan: RunPlan, is_resumed: bool, kind: str) -> RunPlan:
    """Return a plan that says which weights the encoder starts from; that of an ablation, whose models differ, stays.

    Raises:
        InputError: If weights that were asked for are missing or of another network, a random encoder is frozen, or an
            ablation begins with a plan of something else.
    """
    if kind == "ablation":
        network(plan)  # refuses what is no plan of this recipe
        coloring = getattr(plan.preprocessing, "coloring", None)
        method = getattr(getattr(plan.task, "instances", None), "method", None)
        if method != "components" or not isinstance(coloring, Pseudocoloring) or plan.model["freeze_encoder"]:
            raise InputError(
                "an ablation compares masks of connected components, with pseudocoloring and an encoder that is not "
                "frozen; edit instances, coloring and freeze_encoder of the plan, or start without --ablation"
            )
    # Weights were settled when the run began.
    if is_resumed and plan.model["encoder_weights"] != "auto":
        return plan
    settled = with_weights(plan)
    return plan if kind == "ablation" else settled


def with_weights(plan: RunPlan) -> RunPlan:
    """Return a plan that says which weights the encoder starts from, where it was left open (``"auto"``).

    Raises:
        InputError: If weights that were asked for are missing or of another network, or a random encoder is frozen.
    """
    name, wanted = plan.model["encoder"], plan.model["encoder_weights"]
    check_encoder(name)
    if wanted is None:
        _refuse_frozen(plan)
        return plan
    try:
        ENCODERS[name].find_weights("imagenet" if wanted == "auto" else wanted)
    except InputError as fault:
        if wanted != "auto":
            raise
        _refuse_frozen(plan)
        notice = f"The encoder starts from random weights: no ImageNet weights were found. {fault}."
        model = {**plan.model, "encoder_weights": None}
        return dataclasses.replace(plan, model=model, notices=(*plan.notices, notice))
    chosen = "imagenet" if wanted == "auto" else wanted
    ENCODERS[name].extend(keras.Input((32, 32, 3)), chosen)  # sees that they fit before anything is written
    # Frees the network that was built to try them.
    keras.backend.clear_session()
    return dataclasses.replace(plan, model={**plan.model, "encoder_weights": str(chosen)})


def _refuse_frozen(plan: RunPlan) -> None:
    if plan.model["freeze_encoder"]:
        raise InputError("--freeze-encoder with random weights trains a decoder on noise; give --encoder-weights")
