"""Networks of volumes as an engine that computes boxes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid, Box
from segkit.geometry.region import Region
from segkit.inference.compiled import batch_function
from segkit.inference.decision import decided
from segkit.inference.engines import Block, BlockResult
from segkit.inference.grey_scale import prepared_volume
from segkit.inference.live_bytes import live_bytes_per_px
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.memory import tile_budget_px
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_source import read_finite
from segkit.tasks.task import Task
from segkit.volumes.volume import Volume

_BOX_PX = 96  # side of boxes with their halo where neither model nor user say another
_HALO_PX = 16  # where neither card nor user say one
_NOISE_BYTES = 128 * 2**20  # by which processes of one command differ in what they hold


class BoxEngine:
    """Predict boxes of a volume with one or more networks of volumes side by side.

    Boxes are the blocks of a regular grid, and not tiles of ``plan_tiles`` as within a slice: each is finished by
    itself, by whichever process claims it, and its core is stored as it is, while tiles overlap and are blended in the
    memory of one process.

    Boxes begin at multiples of the networks' strides and are padded at the far ends of the volume by repeating the last
    voxel, so where the halo is the card's a box gives what the whole volume gives.

    Args:
        models: The models, in the order of their labels.
        tasks: Task of each model, with the threshold that counts.
        volume: The volume.
        options: How to predict.

    Raises:
        InputError: If slices are to be resampled, or the memory bound is too small for a box.
    """

    def __init__(
        self, models: Sequence[LoadedModel], tasks: Sequence[Task], volume: Volume, options: PredictOptions
    ) -> None:
        self._tasks, self._volume, self._options = list(tasks), volume, options
        self._preprocessings = [loaded.card.preprocessing for loaded in models]
        self._volumes = [prepared_volume(volume, loaded.card, options) for loaded in models]
        self._multiple = math.lcm(*(loaded.card.multiple_px for loaded in models))
        built = [loaded.probability_model(options.precision) for loaded in models]
        self._functions = [batch_function(model, tta=options.tta) for model in built]

    def check(self, slices: Sequence[int]) -> None:
        """Check for NaN and infinite voxels in advance.

        Raises:
            InputError: If there is one.
        """
        if self._volume.dtype.kind == "f":
            for z in slices:
                read_finite(self._volume, z)

    def __call__(self, voxels: np.ndarray, block: Block) -> BlockResult:
        """Return the result for the core of a block."""
        # Only at the far ends: halo and core are multiples of the strides, and so is every start of a box.
        far = [(0, -size % self._multiple) for size in voxels.shape]
        maps = []
        for function, preprocessing, volume in zip(self._functions, self._preprocessings, self._volumes, strict=True):
            # As they are stored they have been read already.
            own = voxels if volume.array is self._volume.array else np.asarray(volume.array[block.box])
            padded = np.pad(own, far, mode="edge")
            # (z, y, x) -> (1, z, y, x, channels) -> (z, y, x, maps)
            found = function(preprocessing.finish(padded)[None])[0]
            maps.append(found[block.inside])
        # Only the region that was asked for is decided on and counted; the rest of the block is background.
        wanted = self._region_in(block)
        result = decided([found[wanted] for found in maps], self._tasks, probability=self._options.probability)
        extents = [part.stop - part.start for part in block.core]
        kept = np.zeros((*extents, *result.array.shape[len(extents) :]), result.array.dtype)
        kept[wanted] = result.array
        return dataclasses.replace(result, array=kept)

    def _region_in(self, block: Block) -> Box:
        """Return the part of a block's core that lies in the region, relative to the core."""
        spans = (self._options.roi or Region()).within(self._volume.shape)
        return tuple(
            slice(max(start - core.start, 0), max(stop - core.start, 0))
            for (start, stop), core in zip(spans, block.core, strict=True)
        )


def box_grid(models: Sequence[LoadedModel], volume: Volume, options: PredictOptions) -> BlockGrid:
    """Return how a volume is cut for networks of volumes.

    Args:
        models: The models.
        volume: The volume.
        options: The side of the boxes, the halo and the bound on the memory.

    Raises:
        InputError: If options are for networks of slices, or the bound is too small for the smallest box.
    """
    if options.windows is not None:
        raise InputError("windows are for networks of slices; leave out --windows")
    if options.rescale:
        raise InputError("rescaling is for networks of slices; resample the volume first, or leave out --rescale")
    multiple = math.lcm(*(loaded.card.multiple_px for loaded in models))
    halos = [_HALO_PX if loaded.card.halo_px is None else loaded.card.halo_px for loaded in models]
    asked = max(halos) if options.halo_px is None else options.halo_px
    # Rounded up to the strides, so that boxes start at multiples of them.
    halo = -(-asked // multiple) * multiple
    smallest = 2 * halo + multiple
    trained = [loaded.card.tile_px for loaded in models if loaded.card.tile_px]
    side = options.tile_px or max([*trained, _BOX_PX, smallest + 2 * halo])
    if side < smallest:
        raise InputError(
            f"tile of {side} px: expected at least {smallest} px (two halos and a core); give a larger tile"
        )
    if options.max_ram is not None:
        # The cube root of a cube may come out just below the integer.
        side = min(side, int(_budget_px(models, options, smallest**3) ** (1 / 3) + 1e-6))
    core = (side - 2 * halo) // multiple * multiple
    # A core is no longer than the volume, rounded up to the strides.
    return BlockGrid(volume.shape, [min(core, -(-n // multiple) * multiple) for n in volume.shape], [halo] * 3)


def begun_box_grid(
    own: BlockGrid, begun: Sequence[int] | None, models: Sequence[LoadedModel], options: PredictOptions
) -> BlockGrid:
    """Return how a volume is cut where it may have been begun with boxes of another size.

    How large boxes may be depends on what a process holds at the moment. So whoever begins decides, and others adopt
    its boxes if their bound on the memory allows.

    Args:
        own: The grid of ``box_grid``.
        begun: Extent of the cores of the boxes that there are; ``None`` for none.
        models: The models.
        options: With the bound on the memory that the user gave; any size is adopted where there is none.

    Returns:
        A grid of the boxes that there are, or ``own`` where they are too large.
    """
    if begun is None or tuple(begun) == own.block_shape:
        return own
    grid = BlockGrid(own.shape, begun, own.halo)
    if options.max_ram is not None:
        box_px = math.prod(core + 2 * halo for core, halo in zip(grid.block_shape, grid.halo, strict=True))
        bound = dataclasses.replace(options, max_ram=options.max_ram + _NOISE_BYTES)
        try:
            _budget_px(models, bound, box_px)
        except InputError:
            return own
    return grid


def _budget_px(models: Sequence[LoadedModel], options: PredictOptions, smallest_px: int) -> int:
    """Return how many voxels a box may have, halo included, within the bound on the memory."""
    multiple = math.lcm(*(loaded.card.multiple_px for loaded in models))
    costs = [live_bytes_per_px(one.probability_model(options.precision), multiple=multiple) for one in models]
    return tile_budget_px(
        options.max_ram,
        live_bytes_per_px=None if None in costs else max(costs),
        slice_bytes=0,
        smallest_px=smallest_px,
        num_models=len(models),
    )
