"""From a volume in a file to its mask or label volume in a file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
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
from segkit.geometry.region import Region
from segkit.inference.box_engine import BoxEngine, begun_box_grid, box_grid
from segkit.inference.executors import InProcess, Share
from segkit.inference.grey_scale import tell_grey_scale
from segkit.inference.identity import task_identity
from segkit.inference.label_merge import MAX_LABELS
from segkit.inference.legend import write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.map_blocks import map_blocks
from segkit.inference.memory import held_bytes
from segkit.inference.object_scale import object_scale
from segkit.inference.predict_options import PredictOptions
from segkit.inference.prediction import Prediction
from segkit.inference.prediction_output import PredictionOutput
from segkit.inference.slice_engine import SliceEngine
from segkit.models.card import ModelCard
from segkit.process_memory import free_bytes
from segkit.tasks.task import Task
from segkit.volumes.block_store import BlockStore, Position
from segkit.volumes.checks import check_axes
from segkit.volumes.files import save_volume
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.volume import Volume

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
    """Predict a volume, block by block, and write the result with its voxel size, origin and axis order.

    A block is a slice, or a box for networks of volumes. Finished blocks are kept in a folder ``<output>.partial``
    until the result is whole. An interrupted run resumes there when it is called again with the same models, input and
    options, and starts over, with a line in the log, when one of them is different. Other processes that are called in
    the same way at the same time share the work; one of them writes the result.

    Args:
        models: One model writes the result of its task: a mask (uint8, 0 and 1), labels of classes (uint8), ids of
            objects (the smallest type that holds them), or the probability of a mask. Several models of one structure
            each write one label volume (uint8): ``i`` where the ``i``-th model, counted from 1, has the highest
            probability of those above their thresholds, else 0. The legend of labels is written next to them.
        volume: The input; read by slices or boxes.
        output_path: File or folder to be written; its suffix chooses the format.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        overwrite: Replace an existing output.
        progress: Called as ``progress(done, total)`` with the number of blocks, once before the first.
        share: Which of several processes of one command this is. The memory bound is shared between them; the first one
            looks for faults in the input and writes the result.

    Returns:
        What was written; ``None`` for all processes of one command but the first.

    Raises:
        InputError: If the output exists or cannot be written, the input holds NaN or infinite voxels, models,
            options and input do not fit each other, or another process computes something else for this output. What is
            finished stays.
    """
    models, options, share = list(models), options or PredictOptions(), share or Share()
    # Check models, options and output before anything is computed.
    check_axes(volume)
    _check_models(models, options)
    tasks = [_task(loaded, options) for loaded in models]
    channels, dtype = (None, np.dtype(np.float32)) if options.probability else tasks[0].kept
    dtype = np.dtype(dtype)
    structures = list(tasks[0].labels) or [loaded.card.structure for loaded in models if loaded.card.task.is_counted]
    output = PredictionOutput(output_path, has_legend=len(models) > 1 or bool(tasks[0].labels), overwrite=overwrite)
    target = output.path
    _check_not_in_input(target, volume)
    result_dtype = dtype if options.probability else np.dtype(tasks[0].result_dtype)
    # Once for the finished blocks, with all their channels, once for the output that is made of them.
    needed = math.prod(volume.shape) * (dtype.itemsize * (channels or 1) + result_dtype.itemsize)
    # What an interrupted run has stored takes its room already.
    needed = max(0, needed - _stored_bytes(output.folder))
    output.check(expected_bytes=needed)
    grid = _grid(models, volume, options, share)
    with BlockStore(
        output.folder,
        task_identity(models, volume, options),
        grid=grid,
        dtype=dtype,
        channels=() if channels is None else (channels,),
        counts={"voxels": (len(structures),), "overlap": ()},
    ) as store:
        positions = _positions(store.grid, options)
        if store.was_empty:
            output.check(expected_bytes=needed)  # another process may have written it, and left, since the first look
        # A format that cannot hold the result is refused now, not after hours of work.
        _check_format(output_path, store.work_folder, volume, result_dtype)
        resumed = sum(position in store.finished() for position in positions)
        if resumed and not share.index:
            what = "blocks" if models[0].takes_volumes else "slices"
            _log.info("%s: resuming: %d of %d %s are finished", target, resumed, len(positions), what)
        known = BlockStore.outcome_in(store.folder)
        # Blocks may be missing: the process that has published the result was killed while it removed them.
        if known is None or not output.is_published(known["outputs"]):
            _predict_blocks(store, positions, models, tasks, volume, options, share, progress)
        if share.index:
            return None  # the first process of the command writes the result

        prepared = store.work_folder / "result"
        make = functools.partial(
            _prepared, prepared, store, output, volume, models[0].card, tasks[0], options, structures
        )
        found = store.finish(make, lambda made: output.publish(made["outputs"], prepared))
    counts = tuple(zip(structures, found["voxels"], strict=True))
    if found["summary"] is not None:
        _log.info("%s: %s", target, found["summary"])
    _tell(target, counts, found["overlap"] if len(models) > 1 else None)
    return Prediction(
        path=target,
        legend=output.legend,
        voxels=counts,
        overlap_voxels=found["overlap"],
        resumed_blocks=resumed,
        summary=found["summary"],
    )


def _stored_bytes(folder: pathlib.Path) -> int:
    """Return the size of the files below a folder that other processes may be writing and removing meanwhile [byte]."""
    stored = 0
    for place, _, names in os.walk(folder):  # says nothing of folders that are gone
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stored += os.stat(os.path.join(place, name)).st_size
    return stored


def _check_not_in_input(target: pathlib.Path, volume: Volume) -> None:
    """Refuse an output that would replace the input, or become one of its slices."""
    if volume.source is None:
        return
    if target.exists() and target.samefile(volume.source):
        raise InputError(f"{target}: is the input; choose another output")
    source, real = (pathlib.Path(os.path.realpath(path)) for path in (volume.source, target))
    if source.is_dir() and real.is_relative_to(source):
        raise InputError(f"{target}: is inside the input, a folder of slices; choose an output outside of it")


def _task(loaded: LoadedModel, options: PredictOptions) -> Task:
    """Return the task of a model, with the threshold that was asked for."""
    task = loaded.card.task
    try:
        if options.probability:
            task.probability_map  # noqa: B018 (refuses where there is none)
        return task if options.threshold is None else task.with_threshold(options.threshold)
    except InputError as fault:
        raise InputError(f"{loaded.card.name}: {fault}") from fault


def _grid(
    models: list[LoadedModel], volume: Volume, options: PredictOptions, share: Share
) -> BlockGrid | Callable[[tuple[int, ...] | None], BlockGrid]:
    """Return how a volume is cut, into slices or into boxes; for boxes as a function of those that there are."""
    if not models[0].takes_volumes:
        # Whole slices without a halo: `SliceEngine` reads itself what it needs of their neighbours.
        return BlockGrid(volume.shape, (1, *volume.shape[1:]), (0, 0, 0))
    own = box_grid(models, volume, dataclasses.replace(options, max_ram=_ram_of_share(options, models, share)))
    given = None if options.max_ram is None else options.max_ram // share.count
    bound = dataclasses.replace(options, max_ram=given)
    return lambda begun: begun_box_grid(own, begun, models, bound)


def _positions(grid: BlockGrid, options: PredictOptions) -> list[Position]:
    """Return the blocks that hold the region asked for."""
    spans = (options.roi or Region()).within(grid.shape)
    # Per axis the blocks that the region meets.
    ranges = [
        range(start // block, -(-stop // block)) for (start, stop), block in zip(spans, grid.block_shape, strict=True)
    ]
    return list(itertools.product(*ranges))


def _predict_blocks(
    store: BlockStore,
    positions: list[Position],
    models: list[LoadedModel],
    tasks: list[Task],
    volume: Volume,
    options: PredictOptions,
    share: Share,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Predict the blocks that the store lacks, all models side by side."""
    # Not made where all blocks are finished, or are left to other processes.
    engine = None
    if rest := [position for position in positions if position not in store.finished()]:
        slices = sorted({z for position in rest for z in range(*store.grid.core(position)[0].indices(volume.shape[0]))})
        if models[0].takes_volumes:
            engine = BoxEngine(models, tasks, volume, options)
        else:
            own = dataclasses.replace(options, max_ram=_ram_of_share(options, models, share))
            engine = SliceEngine(models, tasks, volume, own, num_slices=len(rest))
            if volume.shape[0] == 1 and any(loaded.card.preprocessing.resizes for loaded in models):
                _log.info("%s: a single slice is treated as a stack of one slice with black neighbours", volume.name)
        if not share.index:
            engine.check(slices)
            for loaded in models:
                tell_grey_scale(volume, loaded.card, options)
    map_blocks(engine, volume.array, store, positions=positions, executor=InProcess(share), progress=progress)


def _ram_of_share(options: PredictOptions, models: list[LoadedModel], share: Share) -> int | None:
    """Return the bound on the memory of this process, one of several [byte]."""
    if share.count == 1:
        return options.max_ram
    if options.max_ram is not None:
        return options.max_ram // share.count
    if any(loaded.card.preprocessing.resizes for loaded in models):
        return None  # these need little, and a bound costs a trace
    return held_bytes() + free_bytes() // 2 // share.count


def _prepared(
    folder: pathlib.Path,
    store: BlockStore,
    output: PredictionOutput,
    volume: Volume,
    card: ModelCard,
    task: Task,
    options: PredictOptions,
    structures: Sequence[str],
) -> dict[str, Any]:
    """Write result and legend into a folder, and return what all processes have to know of them."""
    array = _result(store, card, task, volume, options)
    result = dataclasses.replace(volume, array=array)
    shown = _display_range(array, task, options, structures)
    like = dataclasses.replace(volume, metadata={**volume.metadata, "display_range": shown})
    legend = functools.partial(write_legend, structures=structures, background=task.background, overwrite=True)
    return {
        **{name: found.tolist() for name, found in store.totals().items()},
        "summary": None if options.probability else task.summary(array),
        "outputs": output.prepare(folder, result, like=like, write_legend=legend),
    }


def _display_range(
    array: Any, task: Task, options: PredictOptions, structures: Sequence[str]
) -> tuple[int, int] | None:
    """Return the values that programs should draw black and white; ``None`` for what they find themselves."""
    if options.probability or not task.is_counted:
        return None
    # Ids are separated in memory; masks and labels of classes are read from the blocks.
    return (0, int(array.max(initial=1)) if isinstance(array, np.ndarray) else max(1, len(structures)))


def _result(store: BlockStore, card: ModelCard, task: Task, volume: Volume, options: PredictOptions) -> Any:
    """Return the result of all blocks; what is outside the region is background."""
    if options.probability:
        return slice_stack(store.read_slice, volume.shape, store.dtype)
    scale = object_scale(volume, card, rescale=options.rescale)
    return task.finish(
        store.read_slice,
        volume.shape,
        voxel_size=scale.voxel_size,
        voxel_volume=scale.voxel_volume,
        folder=store.work_folder / "objects",
        max_ram=options.max_ram,
    )


def _check_models(models: list[LoadedModel], options: PredictOptions) -> None:
    if not 1 <= len(models) <= MAX_LABELS:
        raise InputError(f"{len(models)} models: expected 1 to {MAX_LABELS}, one for each structure")
    if len({loaded.takes_volumes for loaded in models}) > 1:
        raise InputError("one model takes volumes, another one slices; run the models one by one")
    if len(models) > 1:
        for loaded in models:
            if reason := loaded.card.task.used_alone:
                raise InputError(f"{loaded.card.name}: {reason}")
    if options.probability and len(models) > 1:
        raise InputError(
            f"{len(models)} models: a probability is written for one model; leave out "
            "--probability or run the models one by one"
        )


def _check_format(output_path: str | os.PathLike[str], folder: pathlib.Path, volume: Volume, dtype: np.dtype) -> None:
    """Check in advance that the output's format can hold the result, by writing a tiny volume."""
    tiny = np.zeros((min(2, volume.shape[0]), 2, 2), dtype)
    kind = Volume(array=tiny, voxel_size_nm=volume.voxel_size_nm, file_axes=volume.file_axes, format=volume.format)
    with tempfile.TemporaryDirectory(dir=folder) as trial:  # of its own: several processes may try at a time
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
        _log.info(
            "%s: %d voxels were claimed by more than one model and have the label of the most probable", target, overlap
        )
