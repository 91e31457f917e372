"""Predict an array, a volume or a file."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.notebook.as_volume import VolumeLike, as_volume
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

ModelLike = LoadedModel | str | os.PathLike[str]
"""A model with its card, or the path of a model file or run folder."""


def predict(
    model: ModelLike | Sequence[ModelLike],
    volume: VolumeLike,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> np.ndarray | Volume:
    """Return what a model makes of a volume: a mask, labels, ids of objects, or whatever its task gives.

    It is what ``segkit predict`` does, with the same tiles, memory bound and warnings.

    Args:
        model: A trained model with its card: a run folder, a ``.keras`` file, or ``LoadedModel.open`` of one, which is
            not loaded again for the next volume. Several models of one structure each give labels.
        volume: Grey values on the scale of the training data: an array ``(z, y, x)`` or ``(y, x)``, a ``Volume``, or a
            file.
        output: File to be written, if the result should not be held in memory.
        overwrite: Replace that file.
        progress: Called as ``progress(done, total)`` with the number of slices, or of boxes for a network of volumes.
        **options: Fields of ``PredictOptions``: ``threshold``, ``probability``, ``tta``, ``roi``, ``max_ram`` [byte],
            ``halo_px``, ``tile_px``, ``rescale``, ``precision``.

    Returns:
        For an array an array of its shape. Otherwise a ``Volume`` with the voxel size of the input, read from
        ``output`` where that is given.

    Raises:
        InputError: If a file cannot be read or written, or model, options and volume do not fit each other.

    Example:
        >>> mask = segkit.predict("runs/mito", tomogram, threshold=0.4)  # doctest: +SKIP
    """
    models = [model] if isinstance(model, (LoadedModel, str, os.PathLike)) else list(model)
    opened = [one if isinstance(one, LoadedModel) else LoadedModel.open(one) for one in models]
    given = as_volume(volume)
    ask = {"options": PredictOptions(**options), "progress": progress}
    if output is not None:
        return open_volume(predict_volume(opened, given, output, overwrite=overwrite, **ask).path)
    # HDF5, as it holds every type a task may give.
    with tempfile.TemporaryDirectory() as folder:
        done = predict_volume(opened, given, pathlib.Path(folder, "result.h5"), **ask)
        found = np.asarray(open_volume(done.path).array[:])
    if isinstance(volume, np.ndarray):
        return found.reshape(volume.shape)
    # Without the marks of the file that the input came from: the array is no longer in it.
    return dataclasses.replace(given, array=found, metadata={}, source=None, format=None)
