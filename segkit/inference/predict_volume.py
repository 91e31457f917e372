"""From a volume in a file to its mask or label volume in a file."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.grey_values import warn_of_other_grey_values
from segkit.inference.identity import task_identity
from segkit.inference.label_merge import MAX_LABELS, merge_labels
from segkit.inference.legend import legend_path, write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.object_maps import objects_from_maps
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.inference.slice_store import OBJECTS, TRIAL, SliceStore
from segkit.instances.segment_instances import InstanceSettings
from segkit.models.card import ModelCard
from segkit.volumes.files import save_volume
from segkit.volumes.hdf5 import split_dataset
from segkit.volumes.lazy_volume import LazyVolume, slice_stack
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
        objects: Number of objects, where they were told apart; else ``None``.
    """

    path: pathlib.Path
    legend: pathlib.Path | None
    voxels: tuple[tuple[str, int], ...]
    overlap_voxels: int
    resumed_slices: int
    objects: int | None = None


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
        models: One model writes a mask (uint8, 0 and 1), or its probability; one whose card tells objects apart writes
            their ids (the smallest type that holds them), one of several classes their labels (uint8). Several models
            write one label volume (uint8): ``i`` where the ``i``-th model, counted from 1, has the highest
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
    told_apart = models[0].card.instances if not options.probability else None
    dtype = np.dtype(np.float32 if options.probability or told_apart else np.uint8)
    target = split_dataset(output_path)[0]
    structures = list(models[0].card.classes[1:]) or [loaded.card.structure for loaded in models]
    is_labels = len(models) > 1 or bool(models[0].card.classes)
    legend = legend_path(target) if is_labels else None
    scratch = target.with_name(f"{target.name}.partial")
    _check_target(target, legend, volume, overwrite=overwrite, itemsize=dtype.itemsize)

    task = task_identity(models, volume, options)
    stored_shape = (*volume.shape[1:], 2) if told_apart and models[0].card.num_maps == 2 else volume.shape[1:]
    with SliceStore(scratch, task, slice_shape=stored_shape, dtype=dtype, num_labels=len(structures)) as store:
        resumed = store.done
        try:
            _check_format(output_path, store.folder, volume, np.dtype(np.uint16) if told_apart else dtype)
            if resumed:
                _log.info("%s: goes on after %d of %d slices", target, resumed, len(slices))
            if progress is not None:
                progress(resumed, len(slices))
            _predict_rest(store, slices, models, volume, options, progress)
            if told_apart:
                array = _instances(store, slices, models[0].card, volume, options)
            else:
                array = _whole(store, slices, volume.shape, dtype)
            save_volume(output_path, dataclasses.replace(volume, array=array), like=volume, overwrite=overwrite)
        except InputError:
            if not store.done:
                store.remove()
            raise
        if legend is not None:
            background = next(iter(models[0].card.classes), "background")
            write_legend(legend, structures, background=background, overwrite=overwrite)
        voxels, overlap = store.totals()
        objects = int(array.max(initial=0)) if told_apart else None
        del array  # may be mapped from a file that goes now
        store.remove()
    counts = tuple(zip(structures, map(int, voxels), strict=True))
    if objects is not None:
        _log.info("%s: %d %s", target, objects, "object" if objects == 1 else "objects")
    _tell(target, counts, overlap if len(models) > 1 else None)
    return Prediction(
        path=target, legend=legend, voxels=counts, overlap_voxels=overlap, resumed_slices=resumed, objects=objects
    )


def _predict_rest(
    store: SliceStore,
    slices: range,
    models: list[LoadedModel],
    volume: Volume,
    options: PredictOptions,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Predict the slices that the store lacks, all models side by side."""
    rest = slices[store.done :]
    if not rest:
        return
    predictors = [SlicePredictor(loaded, volume, options, num_models=len(models)) for loaded in models]
    thresholds = [loaded.card.threshold if options.threshold is None else options.threshold for loaded in models]
    if volume.shape[0] == 1 and any(loaded.card.coloring for loaded in models):
        _log.info("%s: a single slice is taken as a stack of one, whose neighbours are black", volume.name)
    for loaded, predictor in zip(models, predictors, strict=True):
        predictor.check(rest)
        warn_of_other_grey_values(volume, loaded.card, rest)
    for found in zip(*(predictor.iter_probability(rest) for predictor in predictors), strict=True):
        probabilities = [probability for _, probability in found]
        if classes := models[0].card.classes:
            masks = []
            labels, overlap = probabilities[0].argmax(axis=-1).astype(np.uint8), 0
        else:
            masks = [found if found.ndim == 2 else found[..., 0] for found in probabilities]  # a heatmap comes behind
            labels, overlap = merge_labels(masks, thresholds)
        num_labels = len(classes) - 1 if classes else len(models)
        voxels = np.bincount(labels.ravel(), minlength=num_labels + 1)[1:]
        kept = masks[0] if options.probability else probabilities[0] if models[0].card.instances else labels
        store.append(kept, voxels, overlap)
        if progress is not None:
            progress(store.done, len(slices))


def _whole(store: SliceStore, slices: range, shape: tuple[int, int, int], dtype: np.dtype) -> LazyVolume:
    """Return the result as a volume that is read from the store; slices outside the region are background."""

    def read_slice(z: int) -> np.ndarray:
        return store.read_slice(z - slices.start) if z in slices else np.zeros(shape[1:], dtype)

    return slice_stack(read_slice, shape, dtype)


def _instances(
    store: SliceStore, slices: range, card: ModelCard, volume: Volume, options: PredictOptions
) -> np.ndarray:
    """Tell the objects of a whole volume apart; distances are in pixels along x."""
    settings = InstanceSettings.from_dict(card.instances)
    threshold = card.threshold if options.threshold is None else options.threshold
    sizes = volume.voxel_size_nm or (1.0, 1.0, 1.0)

    def read_slice(z: int) -> np.ndarray:
        shape = volume.shape[1:] if card.num_maps == 1 else (*volume.shape[1:], card.num_maps)
        return store.read_slice(z - slices.start) if z in slices else np.zeros(shape, np.float32)

    return objects_from_maps(
        read_slice,
        volume.shape,
        dataclasses.replace(settings, threshold=threshold),
        store.folder / OBJECTS,
        voxel_size=[size / sizes[2] for size in sizes],
        max_ram=options.max_ram,
    )


def _check_models(models: list[LoadedModel], options: PredictOptions) -> None:
    if not 1 <= len(models) <= MAX_LABELS:
        raise InputError(f"{len(models)} models: expected 1 to {MAX_LABELS}, one for each structure")
    if several := [loaded.card.name for loaded in models if loaded.card.classes]:
        if len(models) > 1:
            raise InputError(f"{several[0]}: a model of several classes is used alone; predict the models one by one")
        if options.probability or options.threshold is not None:
            raise InputError(
                f"{several[0]}: a model of several classes gives labels, the class of the highest probability; leave "
                "out --probability and --threshold"
            )
    if len(models) > 1 and (several := [loaded.card.name for loaded in models if loaded.card.instances]):
        raise InputError(f"{several[0]}: a model that tells objects apart is used alone; predict the models one by one")
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
