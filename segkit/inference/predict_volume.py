"""From a volume in a file to its mask or label volume in a file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.inference.executors import InProcess, Share
from segkit.inference.identity import task_identity
from segkit.inference.legend import write_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.map_blocks import map_blocks
from segkit.inference.object_scale import object_scale
from segkit.inference.predict_options import PredictOptions
from segkit.inference.prediction import Prediction, told_names
from segkit.inference.prediction_job import PredictionJob
from segkit.inference.prediction_output import PredictionOutput, check_format
from segkit.volumes.block_store import BlockStore, Position
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.output_checks import check_not_input
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
    shown_as: str | None = None,
    is_known: bool = False,
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
            probability of those above their thresholds, else 0. The legend of labels is written next to them. With
            ``options.average`` they are of one structure, and the mean of their maps gives one result.
        volume: The input; read by slices or boxes.
        output_path: File or folder to be written; its suffix chooses the format.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        overwrite: Replace an existing output.
        progress: Called as ``progress(done, total)`` with the number of blocks, once before the first.
        share: Which of several processes of one command this is. The memory bound is shared between them; the first one
            looks for faults in the input and writes the result.
        shown_as: What the log calls the result; its path by default.
        is_known: The volume belongs to the data that the models were trained with: nothing is told about its voxel size
            and grey values.

    Returns:
        What was written; ``None`` for all processes of one command but the first.

    Raises:
        InputError: If the output exists or cannot be written, the input holds NaN or infinite voxels, models,
            options and input do not fit each other, or another process computes something else for this output. What is
            finished stays.
    """
    models, options, share = list(models), options or PredictOptions(), share or Share()
    # Check models, options and output before anything is computed.
    job = PredictionJob(models, volume, options, share)
    structures = job.structures
    output = PredictionOutput(output_path, has_legend=job.has_legend, overwrite=overwrite)
    shown = shown_as or str(output.path)
    needed = check_room(job, output)
    with BlockStore(
        output.folder,
        task_identity(models, volume, options),
        grid=job.grid(),
        dtype=job.kept_dtype,
        channels=job.kept_channels,
        counts={"voxels": (len(structures),), "overlap": ()},
    ) as store:
        positions = job.positions(store.grid)
        if store.was_empty:
            output.check(expected_bytes=needed)  # another process may have written it, and left, since the first look
        # A format that cannot hold the result is refused now, not after hours of work.
        check_format(output_path, store.work_folder, volume, job.result_dtype)
        # Of several processes of one command the first may come when the others have finished blocks.
        finished = store.finished() if share.started is None else store.finished_before(share.started)
        resumed = sum(position in finished for position in positions)
        if resumed and not share.index:
            what = "blocks" if job.takes_volumes else "slices"
            _log.info("%s: resuming: %d of %d %s are finished", shown, resumed, len(positions), what)
        known = BlockStore.outcome_in(store.folder)
        # Blocks may be missing: the process that has published the result was killed while it removed them.
        if known is None or not output.is_published(known["outputs"]):
            _predict_blocks(store, positions, job, progress, is_known=is_known)
        if share.index:
            return None  # the first process of the command writes the result

        prepared = store.work_folder / "result"
        make = functools.partial(_prepared, prepared, store, output, job)
        found = store.finish(make, lambda made: output.publish(made["outputs"], prepared))
    counts = tuple(zip(structures, found["voxels"], strict=True))
    if found["summary"] is not None:
        _log.info("%s: %s", shown, found["summary"])
    _tell(shown, counts, found["overlap"] if len(job.tasks) > 1 else None)
    return Prediction(
        path=output.path,
        legend=output.legend,
        voxels=counts,
        overlap_voxels=found["overlap"],
        resumed_blocks=resumed,
        summary=found["summary"],
    )


def check_room(job: PredictionJob, output: PredictionOutput) -> int:
    """Check that the output of a job may be written, and that there is room for it.

    Args:
        job: The prediction.
        output: Its output.

    Returns:
        The space that is needed on the disk, besides what an interrupted run has stored [byte].

    Raises:
        InputError: If it exists or is part of the input, or its folder is missing, read-only or full.
    """
    check_not_input(output.path, [job.volume.source])
    # What an interrupted run has stored takes its room already.
    needed = max(0, job.disk_bytes - _stored_bytes(output.folder))
    output.check(expected_bytes=needed)
    return needed


def _stored_bytes(folder: pathlib.Path) -> int:
    """Return the size of the files below a folder that other processes may be writing and removing meanwhile [byte]."""
    stored = 0
    for place, _, names in os.walk(folder):  # says nothing of folders that are gone
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stored += os.stat(os.path.join(place, name)).st_size
    return stored


def _predict_blocks(
    store: BlockStore,
    positions: list[Position],
    job: PredictionJob,
    progress: Callable[[int, int], None] | None,
    *,
    is_known: bool,
) -> None:
    """Predict the blocks that the store lacks, all models side by side."""
    volume = job.volume
    # Not made where all blocks are finished, or are left to other processes.
    engine = None
    if rest := [position for position in positions if position not in store.finished()]:
        engine = job.engine(len(rest))
        if volume.shape[0] == 1 and any(loaded.card.preprocessing.resizes for loaded in job.models):
            _log.info("%s: a single slice is treated as a stack of one slice with black neighbours", volume.name)
        if not job.share.index:
            engine.check(job.slices(store.grid, rest))
    # Whether others have been faster or not.
    if not job.share.index and not is_known:
        job.tell()
    map_blocks(engine, volume.array, store, positions=positions, executor=InProcess(job.share), progress=progress)


def _prepared(folder: pathlib.Path, store: BlockStore, output: PredictionOutput, job: PredictionJob) -> dict[str, Any]:
    """Write result and legend into a folder, and return what all processes have to know of them."""
    array, task, volume = _result(store, job), job.tasks[0], job.volume
    result = dataclasses.replace(volume, array=array)
    like = dataclasses.replace(volume, metadata={**volume.metadata, "display_range": _display_range(array, job)})
    legend = functools.partial(write_legend, structures=job.structures, background=task.background, overwrite=True)
    return {
        **{name: found.tolist() for name, found in store.totals().items()},
        "summary": None if job.options.probability else task.summary(array),
        "outputs": output.prepare(folder, result, like=like, write_legend=legend),
    }


def _display_range(array: Any, job: PredictionJob) -> tuple[int, int] | None:
    """Return the values that programs should draw black and white; ``None`` for what they find themselves."""
    if job.options.probability or not job.tasks[0].is_counted:
        return None
    # Ids are separated in memory; masks and labels of classes are read from the blocks.
    return (0, int(array.max(initial=1)) if isinstance(array, np.ndarray) else max(1, len(job.structures)))


def _result(store: BlockStore, job: PredictionJob) -> Any:
    """Return the result of all blocks; what is outside the region is background."""
    shape = job.volume.shape
    if job.options.probability:
        return slice_stack(store.read_slice, shape, store.dtype)
    scale = object_scale(job.volume, job.card, rescale=job.options.rescale)
    return job.tasks[0].finish(
        store.read_slice,
        shape,
        voxel_size=scale.voxel_size,
        voxel_volume=scale.voxel_volume,
        folder=store.work_folder / "objects",
        max_ram=job.options.max_ram,
    )


def _tell(shown: str, counts: tuple[tuple[str, int], ...], overlap: int | None) -> None:
    names = told_names([structure for structure, _ in counts])
    for structure, (_, voxels) in zip(names, counts, strict=True):
        if voxels:
            _log.info("%s: %s has %d voxels", shown, structure, voxels)
        else:
            _log.warning("%s: no voxel of %s was found", shown, structure)
    if overlap is not None:
        _log.info(
            "%s: %d voxels were claimed by more than one model and have the label of the most probable", shown, overlap
        )
