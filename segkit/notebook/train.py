"""Train a network on arrays, volumes or files."""

from __future__ import annotations

import dataclasses
import logging
import numbers
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from segkit.arguments import sequence
from segkit.data.sources import LabeledVolume, Source, pair_warnings
from segkit.data.splits import Split, hold_out_every
from segkit.errors import InputError
from segkit.experiments.folder import PLAN_NAME, check_folder, claim_folder, remove_run
from segkit.experiments.lock import only_process_in
from segkit.inference.loaded_model import LoadedModel
from segkit.models.card import ModelCard
from segkit.models.card_name import check_card_name
from segkit.models.rebuildable import check_rebuildable
from segkit.models.seget import seget, seget_halo_px, seget_multiple_px
from segkit.notebook.as_volume import VolumeLike, as_volume
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.preprocessing.standardize import Standardize
from segkit.progress import ProgressLine
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import Task
from segkit.training.fit import fit
from segkit.training.plan import TrainingPlan
from segkit.training.precision import dtype_policy, resolve_precision
from segkit.training.preparation import prepare, shrink_patch
from segkit.training.seeding import seed_everything
from segkit.volumes.checks import check_finite, check_grey, check_same_shape
from segkit.volumes.orientation import mask_orientation
from segkit.volumes.tell_warnings import tell_warnings

_LOG = logging.getLogger(__name__)


def train(
    images: VolumeLike | Sequence[VolumeLike],
    annotations: VolumeLike | Sequence[VolumeLike],
    out: str | os.PathLike[str],
    *,
    task: Task | None = None,
    network: Callable[[], keras.Model] | None = None,
    preprocessing: Preprocessing | None = None,
    plan: TrainingPlan | None = None,
    splits: Sequence[Split] | None = None,
    name: str = "model",
    multiple_px: int = 1,
    halo_px: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> LoadedModel:
    """Train a network on labeled volumes and return its best epoch, ready to predict.

    The folder holds the model, ``log.csv`` and what it takes to resume. The recipes do more: they test, export and
    report (``python -m recipes.segET``).

    Args:
        images: Grey values: an array ``(z, y, x)``, a ``Volume`` or a file, or several.
        annotations: One of the same shape for each, as the task takes it; a mask by default.
        out: Folder of the training. Only one process at a time trains in it.
        task: What is learnt; foreground against background by default.
        network: Called without arguments, returns a network with the outputs of the task; SegET by default.
        preprocessing: How voxels are converted to the input of the network; by default, mean and standard deviation of
            the training slices become 0 and 1.
        plan: Patches, epochs, step size and the like.
        splits: What the slices of each volume are for. By default every fifth slice is held out for validation, of
            patches of several slices every fifth block of as many.
        name: Name of the model on its card, under which it is served; it becomes that of a folder.
        multiple_px: Sides of the input of ``network`` must be multiples of this; what it cannot take is refused.
            Without ``network``, SegET's own values of this and of ``halo_px`` are used.
        halo_px: Context that a tile needs for its result to equal the whole slice's. Where it is ``None``, slices are
            predicted in overlapping tiles of the size of the patches, whose results are blended: by up to about 0.01 in
            probability different from what a served model gives for the whole slice.
        callbacks: More Keras callbacks.
        resume: Resume the training in the folder, or start one where there is none; not together with ``overwrite``.
        overwrite: Replace an earlier training or run in the folder, once data and network are found to fit each other.

    Returns:
        The model with its card; ``segkit.predict`` takes it.

    Raises:
        InputError: If volumes, annotations, splits and task do not fit each other, the network does not take slices or
            volumes of any size or could not be opened again from its file, the folder holds a run that is neither to be
            resumed nor replaced, or other files and no run, or another process trains in it.
        ValueError: If an argument is of another type than stated, an array has other axes, ``images``, ``annotations``
            and ``splits`` differ in length, the network has other outputs than the task, or outputs of another size
            than its input where the sides are multiples of ``multiple_px``.

    Example:
        >>> model = segkit.train(tomogram, mask, "runs/mine")  # doctest: +SKIP
        >>> found = segkit.predict(model, another)  # doctest: +SKIP
    """
    _check_types(task, plan, splits, network)
    _check_callbacks(callbacks)
    if not isinstance(out, (str, os.PathLike)):
        raise ValueError(f"`out` must be the path of a folder. Received: out={out!r}")
    _check_numbers(multiple_px, halo_px)
    check_card_name(name)
    if resume and overwrite:
        raise ValueError("`resume` and `overwrite` exclude each other: the training is either kept or replaced")
    folder, claim = pathlib.Path(out), {"resume": False, "overwrite": overwrite or resume, "keeps_plan": True}
    claim_folder(folder, **claim)
    task, plan = task or ForegroundTask(), plan or TrainingPlan(epochs=20)
    # SegET's own numbers; those of another network are the caller's.
    if network is None:
        multiple_px, halo_px = seget_multiple_px(), seget_halo_px()
    volumes = _labeled(_several(images), _several(annotations), task, splits, plan)
    for notice in task.notices(volumes):
        _LOG.warning("warning: %s", notice)
    preprocessing = preprocessing or Standardize()
    if not preprocessing.resizes:
        plan = shrink_patch(plan, volumes, multiple_px)
    plan = dataclasses.replace(plan, precision=resolve_precision(plan.precision))
    progress = ProgressLine("measuring patches", "slices")
    prepared = prepare(volumes, plan, task=task, preprocessing=preprocessing, progress=progress)
    seed_everything(plan.seed, deterministic=plan.deterministic)
    with dtype_policy(plan.precision):
        model = seget(l2=plan.l2) if network is None else network()
    card = ModelCard(
        name=name,
        structure=name,
        task=task,
        preprocessing=prepared.preprocessing,
        voxel_size_nm=prepared.voxel_size_nm,
        dtype=str(np.dtype(volumes[0].tomogram.dtype)),
        grey_values=prepared.grey_values,
        multiple_px=multiple_px,
        halo_px=halo_px,
        tile_px=plan.patch_px if halo_px is None and not preprocessing.resizes else None,
    )
    # All checks before anything is removed.
    _check_network(model, task, plan)
    LoadedModel(model, card)
    if not preprocessing.resizes:
        _check_sizes(model, multiple_px)
    check_rebuildable(model, lambda: prepared.validation.batch(0)[0][:1])
    if card.tile_px is not None:
        _LOG.info(
            "note: %s: predicted in tiles of %d px, as no halo_px is given; results of tiles are blended; give halo_px "
            "for those of whole slices",
            *(name, card.tile_px),
        )
    with only_process_in(folder):
        check_folder(folder, **claim)  # the data took their time: another run may have begun since the first look
        if overwrite:
            remove_run(folder)
            (folder / PLAN_NAME).unlink(missing_ok=True)  # of a recipe's run, which nothing is left of
        record = fit(
            model,
            prepared.training,
            prepared.validation,
            plan,
            folder,
            card,
            callbacks=callbacks,
            resume=resume,
            progress=ProgressLine("training", "steps"),
        )
        return LoadedModel.open(record.publish())


def _check_types(task: Any, plan: Any, splits: Any, network: Any) -> None:
    expected = [
        ("task", task, Task),
        ("plan", plan, TrainingPlan),
        *(("splits", split, Split) for split in splits or ()),
    ]
    for name, value, wanted in expected:
        if value is not None and not isinstance(value, wanted):
            raise ValueError(f"`{name}` must be of the type {wanted.__name__}. Received: {value!r}")
    if isinstance(network, keras.Model):
        raise ValueError(
            "`network` must be a function that builds a network, such as `lambda: segkit.models.unet()`, so that the "
            f"plan's seed and precision hold for it. Received: the model {network.name}"
        )
    if network is not None and not callable(network):
        raise ValueError(
            "`network` must be a function that builds a network, such as `lambda: segkit.models.unet()`. "
            f"Received: network={network!r}"
        )


def _check_callbacks(callbacks: Any) -> None:
    for one in sequence("callbacks", callbacks, "Keras callbacks"):
        if not isinstance(one, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be objects of subclasses of keras.callbacks.Callback, such as `Mine()`. "
                f"Received: {one!r}"
            )


def _check_numbers(multiple_px: Any, halo_px: Any) -> None:
    for name, value, least in (("multiple_px", multiple_px, 1), ("halo_px", 0 if halo_px is None else halo_px, 0)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(f"`{name}` must be a whole number of at least {least} [px]. Received: {name}={value!r}")


def _check_network(model: Any, task: Task, plan: TrainingPlan) -> None:
    if not isinstance(model, keras.Model):
        raise ValueError(f"`network` must return a keras.Model. Received: {model!r}")
    task.check_model(model)
    shape, axes = model.input_shape, len(plan.patch_shape)
    if isinstance(shape, tuple) and len(shape) in (4, 5) and len(shape) != axes + 2:
        found, cut, advice = "slices", "volumes of several slices", "leave out `patch_slices` of the plan"
        if axes == 2:
            found, cut, advice = "volumes", "single slices", "give the plan `patch_slices`"
        raise ValueError(f"`network` takes {found}, but the patches are {cut}; {advice}")


def _check_sizes(model: keras.Model, multiple_px: int) -> None:
    """Refuse a network whose outputs are not of the size of its input where that is a multiple of a number."""
    if (problem := _problem_at(model, multiple_px)) is None:
        return
    volume = len(model.input_shape) == 5
    others = [multiple_px * factor for factor in (2, 3, 4, 5, 8, 16, 32)]
    largest = _LARGEST_MULTIPLE_PX["volumes" if volume else "slices"]
    fitting = [px for px in others if px <= largest and _problem_at(model, px) is None]
    if fitting:
        raise ValueError(
            f"`multiple_px` must be what the sides of the input of `network` are multiples of; give multiple_px="
            f"{fitting[0]}. Received: multiple_px={multiple_px!r}, {problem}"
        )
    raise ValueError(
        "`network` must give outputs of the size of its input: pad every convolution (padding='same'), and enlarge "
        f"again what strides and pooling have made smaller; or give another `multiple_px`. Received: multiple_px="
        f"{multiple_px!r}, {problem}"
    )


_LARGEST_MULTIPLE_PX = {"slices": 64, "volumes": 8}
"""Sizes that are tried to give advice: larger ones cost time and memory."""

_ODD_COUNTS = (5, 7, 11, 13, 17, 19, 23, 29)
"""Primes: a size of so many times a number is a multiple of nothing else that a network may need."""

_FEW_COUNTS = (3, 1)
"""Taken where more would be too large."""

_SMALLEST_TRIED_PX = 24
_LARGEST_TRIED_PX = {"slices": 512, "volumes": 96}
"""Sides of a trial run: larger ones cost time and memory. A multiple that is larger itself is tried once."""


def _problem_at(model: keras.Model, multiple_px: int) -> str | None:
    """Return what is wrong with the outputs for an input whose sides are an odd multiple of a number.

    The network is run: shapes that Keras works out beforehand do not tell where tensors cannot be joined.
    """
    *axes, channels = model.input_shape[1:]
    largest = _LARGEST_TRIED_PX["volumes" if len(axes) == 3 else "slices"]
    size = multiple_px * next(count for count in _ODD_COUNTS if count * multiple_px >= _SMALLEST_TRIED_PX)
    if size > largest:
        size = multiple_px * next((count for count in _FEW_COUNTS if count * multiple_px <= largest), 1)
    sides = (size,) * len(axes)
    of_input = f"for an input of {' x '.join(map(str, sides))} px"
    try:
        outputs = model(np.zeros((1, *sides, channels), np.float32), training=False)
    except Exception as fault:  # what a backend raises where shapes do not fit can be anything
        if _is_out_of_memory(fault):
            raise
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        return f"an error {of_input} ({reason})"
    for name, output in outputs.items():
        if (found := tuple(output.shape[1:-1])) != sides:
            return f"{name!r} of {' x '.join(map(str, found))} px {of_input}"
    return None


def _is_out_of_memory(fault: Exception) -> bool:
    # By name: every backend has a class of its own, and JAX tells it in the message alone.
    names = {kind.__name__ for kind in type(fault).__mro__}
    return not names.isdisjoint({"MemoryError", "ResourceExhaustedError"}) or "RESOURCE_EXHAUSTED" in str(fault)


def _several(given: VolumeLike | Sequence[VolumeLike]) -> list[VolumeLike]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _labeled(
    images: Sequence[VolumeLike],
    annotations: Sequence[VolumeLike],
    task: Task,
    splits: Sequence[Split] | None,
    plan: TrainingPlan,
) -> list[LabeledVolume]:
    if len(images) != len(annotations) or (splits is not None and len(splits) != len(images)):
        raise ValueError(
            "`images`, `annotations` and `splits` must have equal lengths. "
            f"Received: {len(images)} images, {len(annotations)} annotations, splits={splits!r}"
        )
    labeled, depth = [], plan.patch_slices or 1
    for number, (image, annotation) in enumerate(zip(images, annotations, strict=True)):
        volume, mask = as_volume(image), as_volume(annotation)
        check_same_shape(mask, volume)
        check_grey(volume)
        check_finite(volume)
        for given in (volume, mask):
            tell_warnings(given)
        for line in pair_warnings(volume, mask):
            _LOG.warning("warning: %s", line)
        found = task.check_annotation(mask, ignore_value=plan.ignore_value, progress=None)
        # Of grey values, as networks for restoration learn them, there is no outline.
        if mask.dtype.kind in "biu" and (doubt := mask_orientation(volume, mask).warning):
            _LOG.warning("warning: %s: %s", mask.name, doubt)
        split = splits[number] if splits is not None else hold_out_every(volume.shape[0], depth=depth)
        if outside := sorted(z for z in (*split.train, *split.validation, *split.test) if not 0 <= z < volume.shape[0]):
            raise InputError(
                f"splits: slice {outside[0]} is outside of volume {number}, which has {volume.shape[0]} slices; give 0 "
                f"to {volume.shape[0] - 1}"
            )
        source = Source(tomogram=volume.name, mask=mask.name)
        labeled.append(LabeledVolume(source, volume, mask, split, labels=found, ignore_value=plan.ignore_value))
    return labeled
