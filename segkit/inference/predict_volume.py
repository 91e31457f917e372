"""From a volume in a file to its mask or label volume in a file."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.inference.grey_values import warn_of_other_grey_values
from segkit.inference.identity import task_identity
from segkit.inference.label_merge import MAX_LABELS, merge_labels
from segkit.inference.legend import legend_path, write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.region import Region
from segkit.inference.slice_predictor import SlicePredictor
from segkit.inference.slice_store import OBJECTS, TRIAL, SliceStore
from segkit.tasks.task import Task
from segkit.volumes.files import save_volume
from segkit.volumes.hdf5 import split_dataset
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import check_output

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a prediction has written.

    Attributes:
        path: The mask, probability or label volume.
        legend: What its labels mean, for several models; else ``None``.
        voxels: Structure and number of voxels given to it, in the order of the labels.
        overlap_voxels: Voxels that more than one model claimed.
        resumed_slices: Slices that an earlier, cut-off run had finished.
        summary: What the task says of the whole result, such as its number of objects; ``None`` for nothing.
    """

    path: pathlib.Path
    legend: pathlib.Path | None
    voxels: tuple[tuple[str, int], ...]
    overlap_voxels: int
    resumed_slices: int
    summary: str | None = None


def predict_volume(
    models: Sequence[LoadedModel],
    volume: Volume,
    output_path: str | os.PathLike[str],
    options: PredictOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Predict a volume slice by slice and write the result with its voxel size, origin and axis order.

    Finished slices are kept in a folder ``<output>.partial`` until the result is whole. A run that was cut
    off goes on where it stood when it is called again with the same models, input and options, and starts
    anew, and says so in the log, when one of them is another.

    Args:
        models: One model writes the result of its task: a mask (uint8, 0 and 1), labels of classes (uint8), ids of
            objects (the smallest type that holds them), or the probability of a mask. Several models of one structure
            each write one label volume (uint8): ``i`` where the ``i``-th model, counted from 1, has the highest
            probability of those above their thresholds, else 0. The legend of labels stands beside them.
        volume: The input; read slice by slice.
        output_path: File or folder to be written; its suffix chooses the format.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        overwrite: Replace an existing output.
        progress: Called as ``progress(done, total)`` with the number of slices, once before the first.

    Returns:
        What was written.

    Raises:
        InputError: If the output exists or can not be written, the input holds voxels that are no numbers, or
            models, options and input do not fit each other. What an earlier run had finished stays.
    """
    models, options = list(models), options or PredictOptions()
    _check_models(models, options)
    slices = range(*(options.roi or Region()).within(volume.shape)[0])
    tasks = [_task(loaded, options) for loaded in models]
    channels, dtype = (None, np.dtype(np.float32)) if options.probability else tasks[0].kept
    dtype = np.dtype(dtype)
    target = split_dataset(output_path)[0]
    structures = list(tasks[0].labels) or [loaded.card.structure for loaded in models if loaded.card.task.is_counted]
    legend = legend_path(target) if len(models) > 1 or tasks[0].labels else None
    scratch = target.with_name(f"{target.name}.partial")
    _check_target(target, legend, volume, overwrite=overwrite, itemsize=dtype.itemsize)

    identity = task_identity(models, volume, options)
    stored_shape = volume.shape[1:] if channels is None else (*volume.shape[1:], channels)
    with SliceStore(scratch, identity, slice_shape=stored_shape, dtype=dtype, num_labels=len(structures)) as store:
        resumed = store.done
        try:
            _check_format(output_path, store.folder, volume, dtype if options.probability else tasks[0].result_dtype)
            if resumed:
                _log.info("%s: goes on after %d of %d slices", target, resumed, len(slices))
            if progress is not None:
                progress(resumed, len(slices))
            _predict_rest(store, slices, models, tasks, volume, options, progress)
            array = _result(store, slices, tasks[0], volume, options)
            save_volume(output_path, dataclasses.replace(volume, array=array), like=volume, overwrite=overwrite)
        except InputError:
            if not store.done:
                store.remove()
            raise
        if legend is not None:
            write_legend(legend, structures, background=tasks[0].background, overwrite=overwrite)
        voxels, overlap = store.totals()
        summary = None if options.probability else tasks[0].summary(array)
        del array  # may be mapped from a file that goes now
        store.remove()
    counts = tuple(zip(structures, map(int, voxels), strict=True))
    if summary is not None:
        _log.info("%s: %s", target, summary)
    _tell(target, counts, overlap if len(models) > 1 else None)
    return Prediction(
        path=target, legend=legend, voxels=counts, overlap_voxels=overlap, resumed_slices=resumed, summary=summary
    )


def _task(loaded: LoadedModel, options: PredictOptions) -> Task:
    """Return the task of a model, with the threshold that was asked for."""
    task = loaded.card.task
    try:
        if options.probability:
            task.probability_map  # noqa: B018 (refuses where there is none)
        return task if options.threshold is None else task.with_threshold(options.threshold)
    except InputError as fault:
        raise InputError(f"{loaded.card.name}: {fault}") from fault


def _predict_rest(
    store: SliceStore,
    slices: range,
    models: list[LoadedModel],
    tasks: list[Task],
    volume: Volume,
    options: PredictOptions,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Predict the slices that the store lacks, all models side by side."""
    rest = slices[store.done :]
    if not rest:
        return
    predictors = [SlicePredictor(loaded, volume, options, num_models=len(models)) for loaded in models]
    if volume.shape[0] == 1 and any(loaded.card.preprocessing.resizes for loaded in models):
        _log.info("%s: a single slice is taken as a stack of one, whose neighbours are black", volume.name)
    for loaded, predictor in zip(models, predictors, strict=True):
        predictor.check(rest)
        warn_of_other_grey_values(volume, loaded.card, rest)
    for found in zip(*(predictor.iter_maps(rest) for predictor in predictors), strict=True):
        maps = [one for _, one in found]
        store.append(*_decided(maps, tasks, options))
        if progress is not None:
            progress(store.done, len(slices))


def _decided(maps: list[np.ndarray], tasks: list[Task], options: PredictOptions) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what is kept of a slice, the voxels of every label, and the voxels that several models claimed."""
    if len(tasks) > 1:
        probabilities = [found[..., task.probability_map] for found, task in zip(maps, tasks, strict=True)]
        labels, overlap = merge_labels(probabilities, [task.threshold for task in tasks])
        return labels, np.bincount(labels.ravel(), minlength=len(tasks) + 1)[1:], overlap
    (task,), (found,) = tasks, maps
    kept = found[..., task.probability_map] if options.probability else task.keep(found)
    return kept, task.count_labels(found), 0


def _result(store: SliceStore, slices: range, task: Task, volume: Volume, options: PredictOptions) -> Any:
    """Return the result of all slices; those outside the region are background."""
    channels, dtype = (None, np.float32) if options.probability else task.kept
    shape = volume.shape[1:] if channels is None else (*volume.shape[1:], channels)

    def read_slice(z: int) -> np.ndarray:
        return store.read_slice(z - slices.start) if z in slices else np.zeros(shape, dtype)

    if options.probability:
        return slice_stack(read_slice, volume.shape, dtype)
    sizes = volume.voxel_size_nm or (1.0, 1.0, 1.0)
    return task.finish(
        read_slice,
        volume.shape,
        voxel_size=[size / sizes[2] for size in sizes],
        folder=store.folder / OBJECTS,
        max_ram=options.max_ram,
    )


def _check_models(models: list[LoadedModel], options: PredictOptions) -> None:
    if not 1 <= len(models) <= MAX_LABELS:
        raise InputError(f"{len(models)} models: expected 1 to {MAX_LABELS}, one for each structure")
    if len(models) > 1:
        for loaded in models:
            if reason := loaded.card.task.used_alone:
                raise InputError(f"{loaded.card.name}: {reason}")
    if options.probability and len(models) > 1:
        raise InputError(
            f"{len(models)} models: a probability is written for one model; leave out "
            "--probability or predict the models one by one"
        )


def _check_target(
    target: pathlib.Path, legend: pathlib.Path | None, volume: Volume, *, overwrite: bool, itemsize: int
) -> None:
    """See before the work that the output can be written."""
    if volume.source is not None and target.exists() and target.samefile(volume.source):
        raise InputError(f"{target}: is the input; choose another output")
    # Once for the finished slices, once for the output that is made of them.
    check_output(target, overwrite=overwrite, expected_bytes=2 * math.prod(volume.shape) * itemsize)
    if legend is not None:
        check_output(legend, overwrite=overwrite)


def _check_format(output_path: str | os.PathLike[str], folder: pathlib.Path, volume: Volume, dtype: np.dtype) -> None:
    """See before the work that the output's format can hold the result, by writing a tiny volume."""
    trial = folder / TRIAL
    trial.mkdir(exist_ok=True)
    tiny = np.zeros((min(2, volume.shape[0]), 2, 2), dtype)
    kind = Volume(array=tiny, voxel_size_nm=volume.voxel_size_nm, axes=volume.axes, format=volume.format)
    try:
        save_volume(trial / pathlib.Path(output_path).name, kind)
    except InputError as fault:
        raise InputError(str(fault).replace(f"{trial}{os.sep}", "")) from fault
    finally:
        shutil.rmtree(trial)


def _tell(target: pathlib.Path, counts: tuple[tuple[str, int], ...], overlap: int | None) -> None:
    for structure, voxels in counts:
        if voxels:
            _log.info("%s: %s has %d voxels", target, structure, voxels)
        else:
            _log.warning("%s: no voxel of %s was found", target, structure)
    if overlap is not None:
        _log.info("%s: %d voxels were claimed by more than one model", target, overlap)
