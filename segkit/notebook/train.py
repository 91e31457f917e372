"""Train a network on arrays, volumes or files."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from segkit.data.sources import LabeledVolume, Source
from segkit.data.splits import Split, hold_out_every
from segkit.experiments.folder import PLAN_NAME, check_folder, claim_folder, remove_run
from segkit.experiments.lock import only_process_in
from segkit.inference.loaded_model import LoadedModel
from segkit.models.card import ModelCard
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
from segkit.volumes.checks import check_finite, check_same_shape

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
        name: Name of the model on its card.
        multiple_px: Sides of the input of ``network`` must be multiples of this. Without ``network``, SegET's own
            values of this and of ``halo_px`` are used.
        halo_px: Context that a tile needs for its result to equal the whole slice's; ``None`` where it is unknown.
        callbacks: More Keras callbacks.
        resume: Resume the training in the folder, or start one where there is none.
        overwrite: Replace an earlier training or run in the folder, once data and network are found to fit each other.

    Returns:
        The model with its card; ``segkit.predict`` takes it.

    Raises:
        InputError: If volumes, annotations and task do not fit each other, the folder holds a run that is neither to be
            resumed nor replaced, or another process trains in it.
        ValueError: If an argument is of another type than stated, an array has other axes, ``images``, ``annotations``
            and ``splits`` differ in length, or the network has other outputs than the task.

    Example:
        >>> model = segkit.train(tomogram, mask, "runs/mine")  # doctest: +SKIP
        >>> found = segkit.predict(model, another)  # doctest: +SKIP
    """
    _check_types(task, plan, splits, network)
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
    task.check_model(model)  # before anything is removed
    with only_process_in(folder):
        check_folder(folder, **claim)  # the data took their time: another run may have begun since the first look
        if overwrite and not resume:
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
        check_finite(volume)
        found = task.check_annotation(mask, ignore_value=plan.ignore_value, progress=None)
        split = splits[number] if splits is not None else hold_out_every(volume.shape[0], depth=depth)
        source = Source(tomogram=volume.name, mask=mask.name)
        labeled.append(LabeledVolume(source, volume, mask, split, labels=found))
    return labeled
