"""Networks as an engine that computes whole slices of a volume."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from segkit.inference.engines import Block, BlockResult
from segkit.inference.label_merge import merge_labels
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.tasks.task import Task
from segkit.volumes.volume import Volume


class SliceEngine:
    """Predict whole slices with one or more models side by side: a ``StreamingEngine``.

    It reads the volume itself, as networks that colour a slice by its neighbours need those too, and gives the networks
    tiles of several slices at a time where these are small.

    Args:
        models: The models, in the order of their labels.
        tasks: Task of each model, with the threshold that counts.
        volume: The volume.
        options: How to predict.
        num_slices: Number of slices that it will be asked for, at most.

    Raises:
        InputError: As ``SlicePredictor`` does.
    """

    def __init__(
        self,
        models: Sequence[LoadedModel],
        tasks: Sequence[Task],
        volume: Volume,
        options: PredictOptions,
        *,
        num_slices: int,
    ) -> None:
        self._tasks, self._options, self._num_slices = list(tasks), options, num_slices
        self._predictors = [SlicePredictor(loaded, volume, options, num_models=len(models)) for loaded in models]

    def check(self, slices: Sequence[int]) -> None:
        """Look for voxels that are no numbers before the work.

        Raises:
            InputError: If there is one.
        """
        for predictor in self._predictors:
            predictor.check(slices)

    def iter_results(self, blocks: Iterator[Block]) -> Iterator[tuple[Block, BlockResult]]:
        """Yield the result of every slice, with the voxels of each label and those that several models claim."""
        blocks, *streams = itertools.tee(blocks, len(self._predictors) + 1)
        found = (
            predictor.iter_maps((block.core[0].start for block in stream), num_slices=self._num_slices)
            for predictor, stream in zip(self._predictors, streams, strict=True)
        )
        # All predictors take the stream in one order and give it back in that order.
        for parts in zip(*found, strict=True):
            yield next(blocks), self._decided([maps for _, maps in parts])

    def _decided(self, maps: list[np.ndarray]) -> BlockResult:
        """Return what is kept of a slice."""
        tasks = self._tasks
        if len(tasks) > 1:
            probabilities = [found[..., task.probability_map] for found, task in zip(maps, tasks, strict=True)]
            kept, overlap = merge_labels(probabilities, [task.threshold for task in tasks])
            voxels = np.bincount(kept.ravel(), minlength=len(tasks) + 1)[1:]
        else:
            (task,), (found,) = tasks, maps
            kept = found[..., task.probability_map] if self._options.probability else task.keep(found)
            voxels, overlap = task.count_labels(found), 0
        return BlockResult(kept[None], {"voxels": voxels, "overlap": overlap})
