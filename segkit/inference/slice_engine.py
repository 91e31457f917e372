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
from segkit.volumes.volume import Volume


class SliceEngine:
    """Predict whole slices with one or more models side by side: a ``StreamingEngine``.

    It reads the volume itself, as networks that colour a slice by its neighbours need those too, and gives the networks
    tiles of several slices at a time where these are small.

    Args:
        models: The models, in the order of their labels.
        volume: The volume.
        options: How to predict.
        num_slices: Number of slices that it will be asked for, at most.

    Raises:
        InputError: As ``SlicePredictor`` does.
    """

    def __init__(
        self, models: Sequence[LoadedModel], volume: Volume, options: PredictOptions, *, num_slices: int
    ) -> None:
        self._models, self._options, self._num_slices = list(models), options, num_slices
        self._thresholds = [
            loaded.card.threshold if options.threshold is None else options.threshold for loaded in models
        ]
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
            predictor.iter_probability((block.core[0].start for block in stream), num_slices=self._num_slices)
            for predictor, stream in zip(self._predictors, streams, strict=True)
        )
        # All predictors take the stream in one order and give it back in that order.
        for parts in zip(*found, strict=True):
            yield next(blocks), self._merged([probability for _, probability in parts])

    def _merged(self, probabilities: list[np.ndarray]) -> BlockResult:
        card = self._models[0].card
        if card.classes:
            masks = []
            labels, overlap = probabilities[0].argmax(axis=-1).astype(np.uint8), 0
        else:
            masks = [found if found.ndim == 2 else found[..., 0] for found in probabilities]  # a heatmap comes behind
            labels, overlap = merge_labels(masks, self._thresholds)
        num_labels = len(card.classes) - 1 if card.classes else len(self._models)
        voxels = np.bincount(labels.ravel(), minlength=num_labels + 1)[1:]
        kept = masks[0] if self._options.probability else probabilities[0] if card.instances else labels
        return BlockResult(kept[None], {"voxels": voxels, "overlap": overlap})
