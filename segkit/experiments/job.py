"""What a run needs, opened and checked before anything is written."""

from __future__ import annotations

import collections
import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras

from segkit.data.exchanged import exchanged_masks
from segkit.data.sources import LabeledVolume, check_any_foreground, open_source, shared_warnings
from segkit.errors import InputError
from segkit.experiments.plan import RunPlan
from segkit.models.files import load_model, read_card
from segkit.progress import ProgressLine
from segkit.report.page import Section
from segkit.training.precision import resolve_precision
from segkit.training.preparation import Prepared, prepare, shrink_patch
from segkit.training.resumable import Resumable

_LOG = logging.getLogger("segkit.run")


@dataclasses.dataclass(frozen=True)
class Job:
    """A run whose data have been opened and found good, before anything is written.

    Attributes:
        plan: The plan as it was resolved: patches that fit the data, the precision of this machine.
        folder: Run folder.
        network: What is known of the network without building it.
        volumes: Opened volumes.
        prepared: What the training reads from.
    """

    plan: RunPlan
    folder: pathlib.Path
    network: Network
    volumes: Sequence[LabeledVolume]
    prepared: Prepared


@dataclasses.dataclass(frozen=True)
class Network:
    """A network's builder and what tiles of its input must be like.

    Attributes:
        build: Called with the plan's ``model``, what its task asks of a builder, and ``l2``.
        multiple_px: Sides that the network takes are multiples of this.
        halo_px: Context that a tile needs; ``None`` where the network looks at its whole input.
        callbacks: Called with the network, what it is trained from and the run folder; returns callbacks of its own.
        sections: Called with the run folder; returns sections of its own for the report.
        evidence: What is shown in addition to the scores of the task.
    """

    build: Callable[..., keras.Model]
    multiple_px: int
    halo_px: int | None
    callbacks: Callable[[keras.Model, Prepared, pathlib.Path], Sequence[keras.callbacks.Callback]] = lambda *_: ()
    sections: Callable[[pathlib.Path], Sequence[Section]] = lambda _: ()
    evidence: Sequence[Evidence] = ()


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run whose network is trained and whose volumes are predicted.

    Attributes:
        job: The run.
        record: The record of its training; the best model is in its folder.
        held_out: The volumes that are scored, each with its scored slices.
    """

    job: Job
    record: Resumable
    held_out: Sequence[tuple[LabeledVolume, Sequence[int]]]


class Evidence(Protocol):
    """What a recipe shows besides the scores of its task: baselines, other ways of scoring, how images are prepared.

    A run to which it does not apply gets neither scores nor sections.
    """

    def scores(self, run: FinishedRun) -> dict[str, Any]:
        """Return entries for ``scores.json``."""

    def sections(self, run: FinishedRun, scores: dict[str, Any]) -> list[Section]:
        """Return sections of the report from what ``scores.json`` holds."""


def set_up(plan: RunPlan, folder: pathlib.Path, network: Network) -> Job:
    """Open and check everything a run needs; writes nothing.

    Raises:
        InputError: If data, plan and network do not fit together.
    """
    _LOG.info("%s: preset %s", plan.structure, plan.preset)
    network = network_to_start_from(plan, network)
    volumes = open_all(plan)
    settings = plan.training
    # Resized slices have the size of the patch whatever the volume's.
    if not plan.preprocessing.resizes:
        settings = shrink_patch(settings, volumes, network.multiple_px)
    settings = dataclasses.replace(settings, precision=resolve_precision(settings.precision))
    # Warnings of a run that is resumed stand in its plan already, in one of an earlier version among the notices.
    warnings = tuple(dict.fromkeys((*plan.warnings, *plan.task.notices(volumes))))
    notices = tuple(notice for notice in dict.fromkeys(plan.notices) if notice not in warnings)
    for notice in notices:
        _LOG.info("note: %s", notice)
    for warning in warnings:
        _LOG.warning("warning: %s", warning)
    plan = dataclasses.replace(plan, notices=notices, warnings=warnings, training=settings)
    return Job(plan, folder, network, volumes, prepare_plan(plan, volumes))


def network_to_start_from(plan: RunPlan, network: Network) -> Network:
    """Return a network with what is known of the model that a plan starts from; unchanged where there is none.

    Raises:
        InputError: If the model cannot be read, takes other channels or axes, or has other outputs than the task.
    """
    if not plan.init:
        return network
    card, model = read_card(plan.init), load_model(plan.init)
    *axes, channels = model.input_shape[1:]
    if channels != plan.preprocessing.num_channels:
        raise InputError(
            f"{plan.init}: the model takes {channels} channels, expected {plan.preprocessing.num_channels}; give "
            "another --init"
        )
    if len(axes) != len(plan.training.patch_shape):
        kinds = {2: "slices", 3: "volumes"}
        raise InputError(
            f"{plan.init}: the model takes {kinds.get(len(axes), 'something else')}, expected "
            f"{kinds[len(plan.training.patch_shape)]}; give another --init"
        )
    try:
        plan.task.check_model(model)
    except ValueError as fault:
        raise InputError(f"{plan.init}: {fault}; give another --init") from fault
    return dataclasses.replace(network, multiple_px=card.multiple_px, halo_px=card.halo_px)


def open_all(plan: RunPlan) -> list[LabeledVolume]:
    """Open the volumes of a plan, and warn of what looks wrong.

    Raises:
        InputError: If one cannot be read, or not be learnt from.
    """
    settings = {"ignore_value": plan.training.ignore_value, "check": plan.task.check_annotation}
    is_many = len(plan.data) > _MANY
    over_all, volumes = ProgressLine("reading volumes and their annotations"), []
    for source in plan.data:
        one = None if is_many else ProgressLine(f"reading {pathlib.Path(source.tomogram).name} and its annotation")
        volumes.append(open_source(source, **settings, progress=one, tell=False))
        if is_many:
            over_all(len(volumes), len(plan.data))
    given = collections.Counter((os.path.realpath(source.tomogram), source.channel) for source in plan.data)
    for path, _ in (one for one, count in given.items() if count > 1):
        _LOG.warning("warning: %s: given more than once; its slices count as often, and folds may share them", path)
    if plan.task.needs_foreground:
        check_any_foreground(volumes)
    for number, line in exchanged_masks(volumes).items():
        told = (*volumes[number].warnings, f"{volumes[number].mask.name}: {line}")
        volumes[number] = dataclasses.replace(volumes[number], warnings=told)
    for warning in shared_warnings(volumes):
        _LOG.warning("warning: %s", warning)
    return volumes


_MANY = 8  # volumes, from which on each is read without a line of its own


def prepare_plan(plan: RunPlan, volumes: Sequence[LabeledVolume]) -> Prepared:
    """Return what a plan's training reads from."""
    shared = {"task": plan.task, "preprocessing": plan.preprocessing}
    return prepare(volumes, plan.training, **shared, progress=ProgressLine("measuring patches", "slices"))
