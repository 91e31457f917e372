"""The network of a plan of ``recipes.fre``, with the callbacks that belong to it."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import keras

from recipes.enhancement.settings import ModelSettings
from segkit.errors import InputError
from segkit.experiments.enhancement_methods import build_network, check_enhancement, method_of
from segkit.experiments.folder import SEARCH_NAME
from segkit.experiments.job import Network
from segkit.experiments.model_settings import model_settings
from segkit.experiments.plan import RunPlan
from segkit.experiments.statistics import statistics_batches
from segkit.experiments.tile_scores import TileScores
from segkit.report.page import Section
from segkit.report.search_figures import read_trials, search_section
from segkit.report.sections import magnitude_curves
from segkit.search.trials_table import TRIALS_NAME
from segkit.training.preparation import Prepared
from segkit.training.record_magnitudes import RecordMagnitudes, read_magnitudes
from segkit.training.redraw_enhanced import RedrawEnhanced
from segkit.training.reestimate_statistics import ReestimateStatistics

STATISTICS_STEPS = 8
"""Batches of training tiles that the statistics of normalisation are taken from before every validation."""


def network(plan: RunPlan) -> Network:
    """Return the builder of a plan's network with what follows from its method.

    Raises:
        InputError: If a setting under ``model`` is unknown, missing or wrong.
    """
    chosen = model_settings(ModelSettings, plan)
    method = method_of(plan.model)
    if method.supervision != bool(plan.task.supervision):
        raise InputError(
            f"plan: method {method.name!r} under 'model' and supervision {plan.task.supervision:g} under 'task' "
            "exclude each other; give the second head its share of the loss there, and other methods 0"
        )
    check_enhancement(method, chosen.filters, chosen.num_enhanced, chosen.gain)
    levels = len(chosen.filters)

    def build(*, num_classes: int, l2: float, **settings: Any) -> keras.Model:
        chosen = {name: settings[name] for name in ("filters", "num_enhanced", "gain", "normalization")}
        return build_network(method, num_classes=num_classes, seed=plan.training.seed, l2=l2, **chosen)

    def callbacks(model: keras.Model, prepared: Prepared, folder: pathlib.Path) -> list[keras.callbacks.Callback]:
        batches = statistics_batches(prepared, STATISTICS_STEPS)
        deepest = levels - method.levels_left_out
        return [
            *([RedrawEnhanced()] if method.enhance == "epoch" else []),
            ReestimateStatistics(batches),
            RecordMagnitudes(batches[0], f"encoder_{deepest}", f"encoder_{deepest - 1}", folder),
        ]

    return Network(
        build,
        multiple_px=2 ** (levels - 1),
        halo_px=None,
        callbacks=callbacks,
        sections=own_sections,
        evidence=(TileScores(),),
    )


def own_sections(folder: pathlib.Path) -> Sequence[Section]:
    """Show the magnitudes of the features at the end of the encoder and of the skip, and what a search found."""
    rows = read_magnitudes(folder)
    found = search_section(read_trials(folder / SEARCH_NAME / TRIALS_NAME))
    return [*([magnitude_curves({"": rows})] if rows else []), found]
