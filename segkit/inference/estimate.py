"""What a prediction will take, measured on its first blocks."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from segkit.geometry.block_grid import BlockGrid
from segkit.inference.box_engine import BoxEngine
from segkit.inference.engines import Block
from segkit.inference.grey_scale import tell_grey_scale
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import check_format, check_room
from segkit.inference.prediction_job import PredictionJob
from segkit.inference.prediction_output import PredictionOutput
from segkit.inference.slice_engine import SliceEngine
from segkit.process_memory import peak_bytes
from segkit.volumes.volume import Volume


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a prediction will take.

    Attributes:
        num_blocks: Number of slices, or of boxes for networks of volumes, in the region asked for.
        cut: How they are given to the network, in words.
        block_seconds: Time of a block, once the network is traced [s].
        seconds: Time of all blocks [s].
        memory: The most memory that the process has held meanwhile [byte].
        disk: Space for finished blocks and output [byte].
        is_separated: Objects are separated after the last block, which takes time and memory beyond these.
    """

    num_blocks: int
    cut: str
    block_seconds: float
    seconds: float
    memory: int
    disk: int
    is_separated: bool

    def __str__(self) -> str:
        """Return a line for people."""
        time_needed = datetime.timedelta(seconds=math.ceil(self.seconds))
        then = ", then objects are separated" if self.is_separated else ""
        return (
            f"about {time_needed} h:m:s ({self.num_blocks} blocks of {self.block_seconds:.2g} s{then}), memory "
            f"{self.memory / 2**30:.1f} GiB, disk {self.disk / 2**20:,.1f} MiB; {self.cut}"
        )


def estimate_prediction(
    models: Sequence[LoadedModel],
    volume: Volume,
    output_path: str | os.PathLike[str],
    options: PredictOptions | None = None,
    *,
    overwrite: bool = False,
    now: Callable[[], float] = time.perf_counter,
) -> Estimate:
    """Check a prediction as ``predict_volume`` does, compute its first blocks, and write nothing.

    Args:
        models: The models, in the order of their labels.
        volume: The input.
        output_path: File or folder that would be written.
        options: How to predict; the defaults of ``PredictOptions`` if left out.
        overwrite: An existing output would be replaced.
        now: Returns the time [s].

    Returns:
        What the prediction will take in one process that has the machine to itself.

    Raises:
        InputError: As ``predict_volume`` does.
    """
    job = PredictionJob(list(models), volume, options or PredictOptions())
    disk = check_room(job, PredictionOutput(output_path, has_legend=job.has_legend, overwrite=overwrite))
    with tempfile.TemporaryDirectory() as folder:
        check_format(output_path, pathlib.Path(folder), volume, job.result_dtype)
    grid = job.grid()
    grid = grid if isinstance(grid, BlockGrid) else grid(None)
    positions = job.positions(grid)
    engine = job.engine(len(positions))
    for loaded in job.models:
        tell_grey_scale(volume, loaded.card, job.options)
    first = [(position, grid.core(position)) for position in positions[: engine.blocks_at_once]]
    blocks = [Block(position, core, grid.around(core)) for position, core in first]
    _compute(engine, blocks, volume)  # traces the network
    start = now()
    _compute(engine, blocks, volume)
    block_seconds = (now() - start) / len(blocks)
    return Estimate(
        num_blocks=len(positions),
        cut=engine.cut,
        block_seconds=block_seconds,
        seconds=block_seconds * len(positions),
        memory=peak_bytes(),
        disk=disk,
        is_separated=(job.kept_channels, job.kept_dtype) != ((), job.result_dtype),
    )


def _compute(engine: SliceEngine | BoxEngine, blocks: Sequence[Block], volume: Volume) -> None:
    if isinstance(engine, SliceEngine):
        for _ in engine.iter_results(iter(blocks)):
            pass
    else:
        for block in blocks:
            engine(np.asarray(volume.array[block.box]), block)
