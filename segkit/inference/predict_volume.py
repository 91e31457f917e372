"""From a volume in a file to its mask or label volume in a file."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.inference.executors import InProcess, Share
from segkit.inference.grey_values import warn_of_other_grey_values
from segkit.inference.identity import task_identity
from segkit.inference.label_merge import MAX_LABELS
from segkit.inference.legend import legend_path, write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.map_blocks import map_blocks
from segkit.inference.memory import free_bytes, held_bytes
from segkit.inference.object_maps import objects_from_maps
from segkit.inference.predict_options import PredictOptions
from segkit.inference.prediction import Prediction
from segkit.inference.region import Region
from segkit.inference.slice_engine import SliceEngine
from segkit.instances.segment_instances import InstanceSettings
from segkit.models.card import ModelCard
from segkit.volumes.block_store import BlockStore
from segkit.volumes.files import save_volume
from segkit.volumes.hdf5 import split_dataset
from segkit.volumes.lazy_volume import LazyVolume, slice_stack
from segkit.volumes.volume import Volume
from segkit.volumes.whole_output import check_output

_log = logging.getLogger(__name__)


def predict_volume(
    models: Sequence[LoadedModel],
    volume: Volume,
    output_path: str | os.PathLike[str],
    options: PredictOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    share: Share | None = None,
) -> Prediction | None:
    """Predict a volume slice by slice and write the result with its voxel size, origin and axis order.

    Finished slices are kept in a folder ``<output>.partial`` until the result is whole. An interrupted run resumes
    there when it is called again with the same models, input and options, and starts over, with a line in the log, when
    one of them is different. Other processes that are called likewise at the same time share the work; one of them
    writes the result.

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
        share: Which of several processes of one command this is. The memory bound is shared between them, the first
            looks for faults in the input and writes the result.

    Returns:
        What was written; ``None`` for processes of one command but the first.

    Raises:
        InputError: If the output exists or can not be written, the input holds voxels that are no numbers, or
            models, options and input do not fit each other, or another process computes something else for this
            output. What is finished stays.
    """
    models, options, share = list(models), options or PredictOptions(), share or Share()
    _check_models(models, options)
    slices = range(*(options.roi or Region()).within(volume.shape)[0])
    has_objects = models[0].card.instances is not None and not options.probability
    dtype = np.dtype(np.float32 if options.probability or has_objects else np.uint8)
    target = split_dataset(output_path)[0]
    structures = list(models[0].card.classes[1:]) or [loaded.card.structure for loaded in models]
    is_labels = len(models) > 1 or bool(models[0].card.classes)
    legend = legend_path(target) if is_labels else None

    def check_target() -> None:
        _check_target(target, legend, volume, overwrite=overwrite, itemsize=dtype.itemsize)

    check_target()
    with BlockStore(
        target.with_name(f"{target.name}.partial"),
        task_identity(models, volume, options),
        grid=BlockGrid(volume.shape, (1, *volume.shape[1:]), (0, 0, 0)),
        dtype=dtype,
        channels=(2,) if has_objects and models[0].card.num_maps == 2 else (),
        counts={"voxels": (len(structures),), "overlap": ()},
    ) as store:
        if not store.finished():
            check_target()  # another process may have written it, and removed its slices, since the first look
        _check_format(output_path, store.work_folder, volume, np.dtype(np.uint16) if has_objects else dtype)
        resumed = sum((z, 0, 0) in store.finished() for z in slices)
        if resumed and not share.index:
            _log.info("%s: resuming: %d of %d slices are finished", target, resumed, len(slices))
        _predict_slices(store, slices, models, volume, options, share, progress)
        if share.index:
            return None

        def write() -> dict[str, Any]:
            array = _objects(store, models[0].card, volume, options) if has_objects else _whole(store)
            save_volume(output_path, dataclasses.replace(volume, array=array), like=volume, overwrite=overwrite)
            if legend is not None:
                background = next(iter(models[0].card.classes), "background")
                write_legend(legend, structures, background=background, overwrite=overwrite)
            totals = {name: found.tolist() for name, found in store.totals().items()}
            return {**totals, "objects": int(array.max(initial=0)) if has_objects else None}

        found = store.finish(write)
    counts = tuple(zip(structures, found["voxels"], strict=True))
    if (objects := found["objects"]) is not None:
        _log.info("%s: %d %s", target, objects, "object" if objects == 1 else "objects")
    _tell(target, counts, found["overlap"] if len(models) > 1 else None)
    return Prediction(
        path=target,
        legend=legend,
        voxels=counts,
        overlap_voxels=found["overlap"],
        resumed_slices=resumed,
        objects=objects,
    )


def _predict_slices(
    store: BlockStore,
    slices: range,
    models: list[LoadedModel],
    volume: Volume,
    options: PredictOptions,
    share: Share,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Predict the slices that the store lacks."""
    engine = None
    if rest := [z for z in slices if (z, 0, 0) not in store.finished()]:
        if volume.shape[0] == 1 and any(loaded.card.coloring for loaded in models):
            _log.info("%s: a single slice is taken as a stack of one, whose neighbours are black", volume.name)
        network_options = dataclasses.replace(options, max_ram=_ram_of_share(options, models, share))
        engine = SliceEngine(models, volume, network_options, num_slices=len(rest))
        if not share.index:
            engine.check(rest)
            for loaded in models:
                warn_of_other_grey_values(volume, loaded.card, rest)
    positions = [(z, 0, 0) for z in slices]
    map_blocks(engine, None, store, positions=positions, executor=InProcess(share), progress=progress)


def _ram_of_share(options: PredictOptions, models: list[LoadedModel], share: Share) -> int | None:
    """Return the bound on the memory of this process, one of several [byte]."""
    if share.count == 1:
        return options.max_ram
    if options.max_ram is not None:
        return options.max_ram // share.count
    if any(loaded.card.coloring for loaded in models):
        return None  # these need little, and a bound costs a trace
    return held_bytes() + free_bytes() // 2 // share.count


def _whole(store: BlockStore) -> LazyVolume:
    """Return the result as a volume that is read from the store; slices outside the region are background."""
    return slice_stack(store.read_slice, store.shape, store.dtype)


def _objects(store: BlockStore, card: ModelCard, volume: Volume, options: PredictOptions) -> np.ndarray:
    """Separate the objects of a whole volume; distances are in pixels along x."""
    settings = InstanceSettings.from_dict(card.instances)
    threshold = card.threshold if options.threshold is None else options.threshold
    sizes = volume.voxel_size_nm or (1.0, 1.0, 1.0)
    return objects_from_maps(
        store.read_slice,
        volume.shape,
        dataclasses.replace(settings, threshold=threshold),
        store.work_folder / "objects",
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
    tiny = np.zeros((min(2, volume.shape[0]), 2, 2), dtype)
    kind = Volume(array=tiny, voxel_size_nm=volume.voxel_size_nm, axes=volume.axes, format=volume.format)
    with tempfile.TemporaryDirectory(dir=folder) as trial:  # several processes may try at the same time
        try:
            save_volume(pathlib.Path(trial) / pathlib.Path(output_path).name, kind)
        except InputError as fault:
            raise InputError(str(fault).replace(f"{trial}{os.sep}", "")) from fault


def _tell(target: pathlib.Path, counts: tuple[tuple[str, int], ...], overlap: int | None) -> None:
    for structure, voxels in counts:
        if voxels:
            _log.info("%s: %s has %d voxels", target, structure, voxels)
        else:
            _log.warning("%s: no voxel of %s was found", target, structure)
    if overlap is not None:
        _log.info("%s: %d voxels were claimed by more than one model", target, overlap)
