"""The result of a sequence of the Cell Tracking Challenge, as its evaluation reads it."""

from __future__ import annotations

import logging
import pathlib
import re
import tempfile

from recipes.training_run import Job, output_path
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_volume import predict_volume
from segkit.progress import ProgressLine
from segkit.volumes.challenge import image_files, write_result
from segkit.volumes.files import open_volume

_LOG = logging.getLogger("segkit.run")


def write_results(job: Job, sequence: pathlib.Path) -> pathlib.Path:
    """Write the cells of every frame of a sequence into ``<sequence>_RES`` of the run folder.

    Args:
        job: A finished run. Frames that it has scored are taken as they are, the others are predicted.
        sequence: Folder of the images, such as ``data/01``.

    Returns:
        The folder.

    Raises:
        InputError: If a frame is missing or can not be read, or has more cells than 16 bits count.
    """
    target = job.folder / f"{sequence.name}_RES"
    numbers = {pathlib.Path(source.tomogram): number for number, source in enumerate(job.plan.data)}
    loaded = LoadedModel.open(job.folder)
    with tempfile.TemporaryDirectory(dir=job.folder, prefix=".frames-") as scratch:
        for frame, path in image_files(sequence).items():
            labels = output_path(job, numbers[path]) if path in numbers else None
            if labels is None or not labels.exists():
                labels = pathlib.Path(scratch, f"{frame}.tif")
                predict_volume([loaded], open_volume(path), labels, progress=ProgressLine(f"frame {frame}", "slices"))
            digits = len(re.sub(r"\D", "", path.stem))
            write_result(target, frame, open_volume(labels), num_digits=digits, overwrite=True)
    _LOG.info("result of the whole sequence, frames that were trained on among them: %s", target)
    return target
