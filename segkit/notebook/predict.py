"""Predict an array, a volume or a file."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from segkit.console import parse_size
from segkit.geometry.region import Region
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.model_path import resolve_model_paths
from segkit.notebook.as_volume import VolumeLike, as_volume
from segkit.volumes.checks import check_grey
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
    threshold: float | None = None,
    probability: bool = False,
    average: bool = False,
    tta: bool = False,
    roi: Region | str | None = None,
    max_ram: int | str | None = None,
    halo_px: int | None = None,
    tile_px: int | None = None,
    windows: tuple[int, int] | None = None,
    rescale: bool = False,
    precision: str = "float32",
    match_grey_values: bool = False,
    invert: bool = False,
) -> np.ndarray | Volume:
    """Return what a model makes of a volume: a mask, labels, ids of objects, or whatever its task gives.

    It is what ``segkit predict`` does, with the same tiles, memory bound and warnings.

    Args:
        model: A trained model with its card: a run folder, a ``.keras`` file, or ``LoadedModel.open`` of one, which is
            not loaded again for the next volume. Several models, each of one structure, give a volume of labels.
            The folder of a cross-validation means all of its folds, averaged.
        volume: Grey values on the scale of the training data: an array ``(z, y, x)`` or ``(y, x)``, or what NumPy makes
            one of, such as a list or a tensor; a ``Volume``; or a file.
        output: File to be written, if the result should not be held in memory.
        overwrite: Replace that file.
        progress: Called as ``progress(done, total)`` with the number of slices, or of boxes for a network of volumes.
        threshold: Probability above which a voxel is foreground, in [0, 1]; each model's own by default. Not together
            with ``probability``, which no threshold changes.
        probability: Return the probability (float32) in place of the mask. One model only, or ``average``.
        average: The models are of one structure, such as the folds of a cross-validation: decide on the mean of their
            maps, with the first model's threshold, and the median of the settings that separate objects.
        tta: Average over the eight flips and quarter turns of a slice; eight times the work.
        roi: Box that is predicted, such as ``"10:20,:,0:512"`` (z, y, x) or a ``segkit.geometry.Region``; voxels
            outside are background.
        max_ram: Bound on the memory of the process, in bytes or as ``"4G"``; half of what is free by default.
        halo_px: Context around the part of a tile that is kept [px]; the card's by default. Less is faster and no
            longer exact.
        tile_px: Side of the square tiles [px], context included; what fits into memory by default.
        windows: Number of overlapping squares along y and x that slices are cut into, for models of cells; the
            card's by default.
        rescale: Resample slices to the voxel size the model was trained at, and the result back.
        precision: ``"float32"`` or ``"mixed_bfloat16"``.
        match_grey_values: Bring mean and standard deviation of the volume to those of the training data first.
        invert: Exchange light and dark first.

    Returns:
        For an array, a list or a tensor an array of its shape. Otherwise a ``Volume`` with the voxel size of the input,
        read from ``output`` where that is given. Of a model of classes, label ``i`` is the class
        ``model.card.task.class_names[i]``; of several models, label ``i`` is the structure of the ``i``-th, counted
        from 1. Next to ``output`` this legend is written as JSON.

    Raises:
        InputError: If a file cannot be read or written, the volume holds no grey values, or model, options and volume
            do not fit each other.
        ValueError: If an array has other axes than (z, y, x) or (y, x) or is masked, ``model`` is not what is stated,
            or ``roi`` is neither text nor a region.

    Example:
        >>> mask = segkit.predict("runs/mito", tomogram, threshold=0.4)  # doctest: +SKIP
    """
    if not isinstance(roi, (Region, str, type(None))):
        raise ValueError(f"`roi` must be text such as '10:20,:,0:512', or a `Region`. Received: {roi!r}")
    models = _models(model)
    if not any(isinstance(one, LoadedModel) for one in models):
        models, are_folds = resolve_model_paths(models)
        average = average or are_folds
    opened = [one if isinstance(one, LoadedModel) else LoadedModel.open(one) for one in models]
    given = as_volume(volume)
    check_grey(given)
    options = PredictOptions(
        threshold=threshold,
        probability=probability,
        average=average,
        tta=tta,
        roi=Region.parse(roi) if isinstance(roi, str) else roi,
        max_ram=parse_size(max_ram) if isinstance(max_ram, str) else max_ram,
        halo_px=halo_px,
        tile_px=tile_px,
        windows=windows,
        rescale=rescale,
        precision=precision,
        match_grey_values=match_grey_values,
        invert=invert,
    )
    if output is not None:
        done = predict_volume(opened, given, output, options=options, overwrite=overwrite, progress=progress)
        return open_volume(done.path)
    # HDF5, as it holds every type a task may give.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "result.h5")
        done = predict_volume(opened, given, path, options=options, progress=progress, shown_as=given.name)
        found = np.asarray(open_volume(done.path).array[:])
    if not isinstance(volume, (Volume, str, os.PathLike)):
        return found[0] if np.ndim(volume) == 2 else found
    # Without the marks of the file that the input came from: the array is no longer in it.
    return dataclasses.replace(given, array=found, metadata={}, source=None, format=None)


def _models(model: ModelLike | Sequence[ModelLike]) -> list[ModelLike]:
    kinds = (LoadedModel, str, os.PathLike)
    models = list(model) if isinstance(model, Iterable) and not isinstance(model, kinds) else [model]
    for one in models:
        if isinstance(one, keras.Model):
            raise ValueError(
                "`model` must have a card, which says how voxels are normalised; give segkit.LoadedModel(model, card). "
                f"Received: the model {one.name}"
            )
        if not isinstance(one, kinds):
            raise ValueError(
                "`model` must be a run folder, a model file or a LoadedModel, or several of them. "
                f"Received: model={one!r}"
            )
    return models
