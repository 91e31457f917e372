"""What a prediction will take, measured on some of its blocks."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from segkit.geometry.block_grid import BlockGrid, Box
from segkit.inference.box_engine import BoxEngine
from segkit.inference.engines import Block
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import check_room
from segkit.inference.prediction_job import PredictionJob
from segkit.inference.prediction_output import PredictionOutput, check_format
from segkit.inference.slice_engine import SliceEngine
from segkit.process_memory import peak_bytes
from segkit.volumes.block_store import Position
from segkit.volumes.volume import Volume


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a prediction will take.

    Attributes:
        blocks: What is computed at a time, in words.
        num_blocks: Number of these in the region asked for.
        block_seconds: Time of one, once the network is traced [s].
        seconds: Time of all, with that of checking the voxels and tracing the network [s].
        memory: The most memory that the process has held meanwhile [byte].
        disk: Space for finished blocks and output, of the whole volume [byte].
        is_separated: Objects are separated after the last block, which takes time and memory beyond these.
    """

    blocks: str
    num_blocks: int
    block_seconds: float
    seconds: float
    memory: int
    disk: int
    is_separated: bool

    def __str__(self) -> str:
        """Return a line for people."""
        then = ", and then the separation of objects" if self.is_separated else ""
        blocks = f"{self.num_blocks} {self.blocks}, {_time(self.block_seconds)} each"
        return (
            f"about {_time(self.seconds)} after the models are loaded ({blocks}){then}; "
            f"memory {self.memory / 2**30:.1f} GiB, disk {self.disk / 2**20:,.1f} MiB"
        )


def _time(seconds: float) -> str:
    """Return a time in the units that people would use.

    Example:
        >>> [_time(seconds) for seconds in (0.0123, 2.34, 150, 12_000, 200_000)]
        ['0.012 s', '2.3 s', '3 min', '3 h 20 min', '2 d 7 h']
    """
    if seconds < 100:
        return f"{seconds:.2g} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def estimate_prediction(
    models: Sequence[LoadedModel],
    volume: Volume,
    output_path: str | os.PathLike[str],
    options: PredictOptions | None = None,
    *,
    overwrite: bool = False,
    now: Callable[[], float] = time.perf_counter,
) -> Estimate:
    """Check a prediction as ``predict_volume`` does, compute some of its blocks, and write nothing.

    Args:
        models: The models, in the order of their labels.
        volume: The input.
        output_path: File or folder that would be written.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        overwrite: An existing output would be replaced.
        now: Returns the time [s].

    Returns:
        What the prediction of the whole volume will take in one process that has the machine to itself.

    Raises:
        InputError: As ``predict_volume`` does.
    """
    job = PredictionJob(list(models), volume, options or PredictOptions())
    check_room(job, PredictionOutput(output_path, has_legend=job.has_legend, overwrite=overwrite))
    with tempfile.TemporaryDirectory() as folder:
        check_format(output_path, pathlib.Path(folder), volume, job.result_dtype)
    grid = job.grid()
    grid = grid if isinstance(grid, BlockGrid) else grid(None)
    positions = job.positions(grid)
    engine = job.engine(len(positions))
    job.tell()
    times = [now()]
    engine.check(job.slices(grid, positions))
    times.append(now())
    is_slices = isinstance(engine, SliceEngine)
    sizes = {position: _size(grid.around(grid.core(position))) for position in positions}
    if is_slices:
        chosen, shown = positions[: _full_batches(engine)], f"slices, {engine.cut}"
    else:
        # Boxes at the border are smaller: the largest one is measured.
        chosen = [max(positions, key=lambda position: math.prod(sizes[position]))]
        shown = f"boxes of {' x '.join(map(str, sizes[chosen[0]]))} px with their context"
    for _ in range(2):  # the first time the network is traced
        _compute(engine, [_block(grid, position) for position in chosen], volume)
        times.append(now())
    checking, first, again = np.diff(times)
    block_seconds = again / len(chosen)
    relative = [math.prod(size) / math.prod(sizes[chosen[0]]) for size in sizes.values()]
    # The network is traced once for every extent of a box.
    traces = 1 if is_slices else len(set(sizes.values()))
    return Estimate(
        blocks=shown,
        num_blocks=len(positions),
        block_seconds=block_seconds,
        seconds=checking + block_seconds * sum(relative) + max(0.0, first - again) * traces,
        memory=peak_bytes(),
        disk=job.disk_bytes,
        is_separated=(job.kept_channels, job.kept_dtype) != ((), job.result_dtype),
    )


def _size(box: Box) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)


def _block(grid: BlockGrid, position: Position) -> Block:
    core = grid.core(position)
    return Block(position, core, grid.around(core))


def _full_batches(engine: SliceEngine) -> int:
    """Return a number of slices whose tiles fill the batches of all models, or nearly so."""
    counts = [size // math.gcd(size, tiles) for tiles, size in engine.batches]
    return min(math.lcm(*counts), _MOST_SLICES)


_MOST_SLICES = 32


def _compute(engine: SliceEngine | BoxEngine, blocks: Sequence[Block], volume: Volume) -> None:
    if isinstance(engine, SliceEngine):
        for _ in engine.iter_results(iter(blocks)):
            pass
    else:
        for block in blocks:
            engine(np.asarray(volume.array[block.box]), block)
