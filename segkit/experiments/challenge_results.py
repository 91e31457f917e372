"""The result of a sequence of the Cell Tracking Challenge, as its evaluation reads it."""

from __future__ import annotations

import logging
import pathlib
import re
import shutil
import tempfile

from segkit.experiments.job import Job
from segkit.experiments.training_run import output_path, scored_slices
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.progress import ProgressLine
from segkit.volumes.challenge import image_files, write_result
from segkit.volumes.files import open_volume

_LOG = logging.getLogger("segkit.run")


def write_results(job: Job, sequence: pathlib.Path, *, max_ram: int | None = None) -> pathlib.Path:
    """Write the cells of every frame of a sequence into ``<sequence>_RES`` of the run folder.

    Args:
        job: A finished run. Frames that it has scored are reused, the others are predicted.
        sequence: Folder of the images, such as ``data/01``.
        max_ram: Bound of the memory while predicting [byte].

    Returns:
        The folder.

    Raises:
        InputError: If a frame is missing or cannot be read, or has more cells than 16 bits count.
    """
    target = job.folder / f"{sequence.name}_RES"
    scored = {pathlib.Path(job.plan.data[number].tomogram): number for number, _ in scored_slices(job.volumes)}
    loaded, images = LoadedModel.open(job.folder), image_files(sequence)
    # Next to the target, so that the finished folder can be renamed into its place.
    with tempfile.TemporaryDirectory(dir=job.folder, prefix=".frames-") as scratch:
        for frame, path in images.items():
            if path in scored:
                labels = output_path(job, scored[path])
            else:
                labels = pathlib.Path(scratch, f"{frame}.tif")
                progress = ProgressLine(f"frame {frame}", "slices")
                options = PredictOptions(max_ram=max_ram)
                volume = open_volume(path)
                predict_volume([loaded], volume, labels, options, progress=progress, shown_as=f"frame {frame}")
            # As many as in the names of the images: t000.tif or t0000.tif.
            digits = len(re.sub(r"\D", "", path.stem))
            write_result(pathlib.Path(scratch, target.name), frame, open_volume(labels), num_digits=digits)
        shutil.rmtree(target, ignore_errors=True)  # an earlier run's
        pathlib.Path(scratch, target.name).rename(target)
    used = {source.tomogram for source in job.plan.data if source.train or source.validation}
    seen = sum(str(path) in used for path in images.values())
    _LOG.info("result of the whole sequence, %s: %s", _told(seen), target)
    return target


def _told(seen: int) -> str:
    if not seen:
        return "none of its frames was used in training"
    return f"{seen} of its frames were trained on or chose the checkpoint"
