"""Networks as an engine that computes whole slices of a volume."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from segkit.geometry.tiles import TilePlan
from segkit.inference.decision import decided
from segkit.inference.engines import Block, BlockResult
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.tasks.task import Task
from segkit.volumes.volume import Volume


def _cut(plan: TilePlan) -> str:
    size = " x ".join(map(str, plan.tile_shape))
    return "whole slices" if len(plan) == 1 else f"{len(plan)} tiles of {size} px for each slice"


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

    @property
    def batches(self) -> list[tuple[int, int]]:
        """Tiles of a slice, and tiles that the network is given at a time, of each model."""
        return [(len(one.plan), one.batch_size) for one in self._predictors]

    @property
    def cut(self) -> str:
        """How slices are given to the networks, in words."""
        return " and ".join(dict.fromkeys(_cut(one.plan) for one in self._predictors))

    def check(self, slices: Sequence[int]) -> None:
        """Check for NaN and infinite voxels in advance.

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
            result = decided([maps for _, maps in parts], self._tasks, probability=self._options.probability)
            # (y, x) or (y, x, channels) -> (1, y, x, ...), the extent of the block.
            yield next(blocks), dataclasses.replace(result, array=result.array[None])
