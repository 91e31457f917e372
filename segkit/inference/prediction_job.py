"""Models, volume and choices of a prediction, checked against each other, and what follows from them."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import logging
import math
from collections.abc import Callable, Sequence

import numpy as np

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.geometry.region import Region
from segkit.inference.box_engine import BoxEngine, begun_box_grid, box_grid
from segkit.inference.executors import Share
from segkit.inference.grey_scale import tell_grey_scale
from segkit.inference.label_merge import MAX_LABELS
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.memory import held_bytes
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_engine import SliceEngine
from segkit.inference.voxel_scale import tell_voxel_size
from segkit.models.card import ModelCard
from segkit.process_memory import free_bytes
from segkit.tasks.task import Task
from segkit.volumes.block_store import Position
from segkit.volumes.checks import check_axes
from segkit.volumes.tell_warnings import tell_warnings
from segkit.volumes.volume import Volume

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PredictionJob:
    """A prediction that can be computed: its models, volume and choices fit each other.

    Args:
        models: The models, in the order of their labels.
        volume: The input.
        options: How to predict.
        share: Which of several processes this is.

    Raises:
        InputError: If models, options and volume do not fit each other.
    """

    models: Sequence[LoadedModel]
    volume: Volume
    options: PredictOptions = dataclasses.field(default_factory=PredictOptions)
    share: Share = dataclasses.field(default_factory=Share)

    def __post_init__(self) -> None:
        """Refuse what cannot be predicted."""
        check_axes(self.volume)
        _check_models(self.models, self.options)
        self.tasks  # noqa: B018 (refuses choices that a task has no use for)

    @functools.cached_property
    def tasks(self) -> list[Task]:
        """Task of each model with the threshold that was asked for; a single one where maps are averaged."""
        tasks = [_task(loaded, self.options) for loaded in self.models]
        return [tasks[0].averaged(tasks[1:])] if self.options.average else tasks

    @property
    def card(self) -> ModelCard:
        """Card of the first model."""
        return self.models[0].card

    @property
    def takes_volumes(self) -> bool:
        """Whether blocks are boxes, and not slices."""
        return self.models[0].takes_volumes

    @property
    def structures(self) -> list[str]:
        """What the labels of the result mean, from 1 on; none where it is made of values."""
        given = zip(self.models, self.tasks, strict=False)
        return list(self.tasks[0].labels) or [loaded.card.structure for loaded, task in given if task.is_counted]

    @property
    def has_legend(self) -> bool:
        """Whether the labels of the result are told in a file of their own."""
        return len(self.tasks) > 1 or bool(self.tasks[0].labels)

    @property
    def kept_channels(self) -> tuple[int, ...]:
        """Extent of the axis of channels of what is kept of a block; empty for no such axis."""
        channels = None if self.options.probability else self.tasks[0].kept[0]
        return () if channels is None else (channels,)

    @property
    def kept_dtype(self) -> np.dtype:
        """Type of what is kept of a block."""
        return np.dtype(np.float32 if self.options.probability else self.tasks[0].kept[1])

    @property
    def result_dtype(self) -> np.dtype:
        """Type of the voxels of the result."""
        return self.kept_dtype if self.options.probability else np.dtype(self.tasks[0].result_dtype)

    @property
    def disk_bytes(self) -> int:
        """Space on the disk: once for the finished blocks, with all their channels, once for the output [byte]."""
        per_voxel = self.kept_dtype.itemsize * math.prod(self.kept_channels) + self.result_dtype.itemsize
        return math.prod(self.volume.shape) * per_voxel

    def tell(self) -> None:
        """Log what is to be known of the file, what is converted for the models, and what does not fit them."""
        cards = [loaded.card for loaded in self.models]
        tell_warnings(self.volume)
        self._tell_namesakes()
        tell_voxel_size(self.volume, cards, rescale=self.options.rescale, takes_volumes=self.takes_volumes)
        tell_grey_scale(self.volume, cards, self.options)

    def _tell_namesakes(self) -> None:
        """Warn of models of one structure that get a label each, which folds and repeated trainings hardly should."""
        for name, count in collections.Counter(self.structures).items():
            if count > 1 and len(self.tasks) > 1:
                labels = [str(label) for label, known in enumerate(self.structures, start=1) if known == name]
                _log.warning(
                    "warning: %d models are of one structure, %s, which gets the labels %s; for one mask, of the mean "
                    "of the models, add --average",
                    count,
                    name,
                    ", ".join(labels),
                )

    def grid(self) -> BlockGrid | Callable[[tuple[int, ...] | None], BlockGrid]:
        """Return how the volume is cut, into slices or into boxes; for boxes as a function of those that there are.

        Raises:
            InputError: If the memory bound is too small for a box.
        """
        if not self.takes_volumes:
            # Whole slices without a halo: `SliceEngine` reads itself what it needs of their neighbours.
            return BlockGrid(self.volume.shape, (1, *self.volume.shape[1:]), (0, 0, 0))
        own = box_grid(self.models, self.volume, self._options_of_share)
        given = None if self.options.max_ram is None else self.options.max_ram // self.share.count
        bound = dataclasses.replace(self.options, max_ram=given)
        return lambda begun: begun_box_grid(own, begun, self.models, bound)

    def positions(self, grid: BlockGrid) -> list[Position]:
        """Return the blocks of a grid that hold the region asked for."""
        spans = (self.options.roi or Region()).within(grid.shape)
        # Per axis the blocks that the region meets.
        ranges = [
            range(start // block, -(-stop // block))
            for (start, stop), block in zip(spans, grid.block_shape, strict=True)
        ]
        return list(itertools.product(*ranges))

    def slices(self, grid: BlockGrid, positions: Sequence[Position]) -> list[int]:
        """Return the slices that blocks of a grid lie in."""
        return sorted({z for position in positions for z in range(*grid.core(position)[0].indices(grid.shape[0]))})

    def engine(self, num_blocks: int) -> BoxEngine | SliceEngine:
        """Return what computes blocks, all models side by side.

        Args:
            num_blocks: Number of blocks that it will be asked for, at most.

        Raises:
            InputError: If the memory bound or the tile is too small, or a voxel size that is needed is unknown.
        """
        if self.takes_volumes:
            return BoxEngine(self.models, self.tasks, self.volume, self.options)
        return SliceEngine(self.models, self.tasks, self.volume, self._options_of_share, num_slices=num_blocks)

    @property
    def _options_of_share(self) -> PredictOptions:
        """The choices, with the bound on the memory of this process, one of several [byte]."""
        options, share = self.options, self.share
        if share.count == 1:
            return options
        if options.max_ram is not None:
            bound = options.max_ram // share.count
        elif any(loaded.card.preprocessing.resizes for loaded in self.models):
            bound = None  # these need little, and a bound costs a trace
        else:
            bound = held_bytes() + free_bytes() // 2 // share.count
        return dataclasses.replace(options, max_ram=bound)


def _task(loaded: LoadedModel, options: PredictOptions) -> Task:
    task = loaded.card.task
    try:
        if options.probability:
            task.probability_map  # noqa: B018 (refuses where there is none)
        return task if options.threshold is None else task.with_threshold(options.threshold)
    except InputError as fault:
        raise InputError(f"{loaded.card.name}: {fault}") from fault


def _check_models(models: Sequence[LoadedModel], options: PredictOptions) -> None:
    if not 1 <= len(models) <= MAX_LABELS:
        raise InputError(f"{len(models)} models: expected 1 to {MAX_LABELS}, one for each structure")
    if len({loaded.takes_volumes for loaded in models}) > 1:
        raise InputError("one model takes volumes, another one slices; run the models one by one")
    options.check_count(len(models))
    if options.average:
        _check_alike(models)
        return
    if len(models) > 1:
        for loaded in models:
            if reason := loaded.card.task.used_alone:
                raise InputError(f"{loaded.card.name}: {reason}")
    if options.probability and len(models) > 1:
        raise InputError(
            f"{len(models)} models: a probability is written for one model; leave out --probability, run the models "
            "one by one, or add --average if they are of one structure"
        )


def _check_alike(models: Sequence[LoadedModel]) -> None:
    """Refuse to average the maps of models that predict different things."""
    first, *others = [(loaded.card, _meaning(loaded.card)) for loaded in models]
    for card, meaning in others:
        for fact, value in meaning.items():
            if value != (known := first[1][fact]):
                raise InputError(
                    f"models that differ in {fact} cannot be averaged: {known} of {first[0].name}, {value} of "
                    f"{card.name}; leave out --average"
                )


def _meaning(card: ModelCard) -> dict[str, object]:
    """Return what models must have in common for the mean of their maps to have a meaning, by its name."""
    task = card.task
    maps = [(output.name, output.channels, output.activation, output.in_grey_values) for output in task.predicted]
    return {
        "structure": card.structure,
        "the kind of task": task.kind,
        "labels": ", ".join(task.labels),
        "maps": maps,
    }
