"""One model on the slices of a volume."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized

import keras
import numpy as np

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.geometry.tiles import Span, TilePlan, Window, plan_tiles, plan_windows, smallest_tile_px
from segkit.inference.compiled import batch_function
from segkit.inference.grey_scale import prepared_volume
from segkit.inference.live_bytes import live_bytes, live_bytes_per_px
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.memory import tile_budget_px
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_source import SliceSource
from segkit.inference.voxel_scale import resampled, scale_yx
from segkit.volumes.volume import Volume

_BATCH_PX = 512 * 512  # larger batches of small tiles gain nothing on a CPU
_COLORED_BATCH = 4  # slices at a time for networks that compute at a size of their own, whatever the slices
_BLENDED_HALO_PX = 128  # where the network looks at its whole input, no halo is enough
_COLORED_BYTES_PER_PX = 80  # three channels of float32, while they are put together, stretched and cut out
_CLAHE_BYTES = 64 * 2**20  # its tables for 16 bits, and their copies
_SCALED_MARGIN_PX = 2  # neighbours that resampling back looks at


class SlicePredictor:
    """Predict slices of a volume with one model, in tiles where a slice does not fit into memory.

    Args:
        loaded: Model and card.
        volume: The volume.
        options: The choices; thresholds do not matter here.
        num_models: Number of models that run side by side in this process.

    Raises:
        InputError: If the region is not inside the volume, the memory bound or the tile is too small, or a
            voxel size that is needed is unknown.

    Attributes:
        plan: How a slice is cut.
        batch_size: Number of tiles the network is given at a time, of one slice or of several.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        volume: Volume,
        options: PredictOptions | None = None,
        *,
        num_models: int = 1,
    ) -> None:
        card, options = loaded.card, options or PredictOptions()
        volume = prepared_volume(volume, card, options)
        self._card, self._volume = card, volume
        _, *self._roi = (options.roi or Region()).within(volume.shape)
        scale = scale_yx(volume, card, rescale=options.rescale)
        sizes = volume.shape[1:]
        self._scaled_shape = tuple(max(1, round(size * factor)) for size, factor in zip(sizes, scale, strict=True))
        self._wanted = tuple(map(_scaled_span, self._roi, sizes, self._scaled_shape))
        model = loaded.probability_model(options.precision)
        self._channels = card.task.num_maps
        self.plan = self._cut(options, model, num_models)
        self._function = batch_function(model, tta=options.tta)
        self._source = SliceSource(volume, self._scaled_shape, self.plan.reach, card.preprocessing)

    def check(self, slices: Iterable[int]) -> None:
        """Check for NaN and infinite voxels in advance.

        Raises:
            InputError: If there is one.
        """
        self._source.check(slices)

    def iter_maps(self, slices: Iterable[int], *, num_slices: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Predict slices one after the other; memory does not grow with their number.

        Args:
            slices: Indices along z; taken only as far as the next batch needs them.
            num_slices: Number of slices that will come, at most: the network is given no larger batches than they fill.
                By default their own number, where they have one.

        Yields:
            The index, and the maps of the whole slice, float32 ``(y, x, maps)``, 0 outside the region.
        """
        if num_slices is None and isinstance(slices, Sized):
            num_slices = len(slices)
        # Tiles of all slices in one sequence, so that a batch may hold tiles of several small slices.
        jobs = ((z, tile) for z in slices for tile in self.plan)
        most = self.batch_size if num_slices is None else num_slices * len(self.plan)
        size = max(1, min(self.batch_size, most))
        # (batch, y, x, channels), refilled for every group.
        batch = np.zeros((size, *self.plan.tile_shape, self._card.preprocessing.num_channels), np.float32)
        last_tile = len(self.plan)
        open_slices: dict[int, _OpenSlice] = {}
        while group := list(itertools.islice(jobs, size)):
            for slot, (z, tile) in enumerate(group):
                if z not in open_slices:
                    open_slices[z] = _OpenSlice(self._source.read(z), self.plan, self._channels)
                self._card.preprocessing.finish(open_slices[z].voxels(tile), batch[slot])
            # A last, partial batch keeps what the slots held before: another shape would cost a trace.
            results = self._function(batch)  # (batch, y, x, maps)
            for (z, tile), result in zip(group, results, strict=False):
                open_slices[z].add(tile, result)
                # All tiles of the slice are in: it is given out and its memory is released.
                if open_slices[z].added == last_tile:
                    found = open_slices.pop(z).probability
                    channels = [self._finished(found[..., k]) for k in range(self._channels)]
                    yield z, channels[0][..., None] if len(channels) == 1 else np.stack(channels, axis=-1)

    def _cut(self, options: PredictOptions, model: keras.Model, num_models: int) -> TilePlan:
        card = self._card
        if options.windows is not None and (not card.preprocessing.resizes or options.tile_px is not None):
            raise InputError(
                f"{card.name}: windows are for networks that resize what they are given, and in place of tiles; leave "
                "out --windows" + (" or --tile" if card.preprocessing.resizes else "")
            )
        if card.preprocessing.resizes and options.tile_px is None:
            # The network resizes what it is given: tiles would be seen in another size than it was trained on.
            windows = options.windows or card.preprocessing.windows or (1, 1)
            plan = plan_windows(self._scaled_shape, windows, wanted=self._wanted)
            self.batch_size = self._colored_batch(plan, options, model, num_models)
            return plan
        tile_px = options.tile_px if options.tile_px is not None else card.tile_px
        # Without a known halo a tile keeps at least half of its side: at most a quarter is context on each side.
        default = (
            min(_BLENDED_HALO_PX, (tile_px or _BLENDED_HALO_PX * 4) // 4) if card.halo_px is None else card.halo_px
        )
        halo = default if options.halo_px is None else options.halo_px
        ask = {"multiple": card.multiple_px, "halo": halo, "wanted": self._wanted}
        ask["exact"] = card.halo_px is not None and halo >= card.halo_px
        smallest = smallest_tile_px(self._scaled_shape, multiple=card.multiple_px, halo=halo)
        if tile_px is not None:
            try:
                plan = plan_tiles(self._scaled_shape, tile_px=tile_px, **ask)
            except ValueError as fault:
                raise InputError(
                    f"tile of {tile_px} px: expected more than twice the halo of {halo} px; give "
                    "a larger tile (--tile) or a smaller halo (--halo), which is no longer exact"
                ) from fault
            # The tile was asked for, so a bound that is smaller than it is refused rather than the tile reduced.
            smallest = int(np.prod(plan.tile_shape))
        budget = tile_budget_px(
            options.max_ram,
            live_bytes_per_px=live_bytes_per_px(model, multiple=card.multiple_px),
            slice_bytes=self._slice_bytes() * num_models,
            smallest_px=smallest,
            num_models=num_models,
        )
        if tile_px is None:
            plan = plan_tiles(self._scaled_shape, max_px=budget, **ask)
        self.batch_size = max(1, min(budget, _BATCH_PX) // int(np.prod(plan.tile_shape)))
        return plan

    def _colored_batch(self, plan: TilePlan, options: PredictOptions, model: keras.Model, num_models: int) -> int:
        """Return how many of the plan's tiles, none of which can be smaller, go into the memory at a time.

        A few hundred megabytes do for most: without a bound there is no trace, which takes seconds.
        """
        tile_px = int(np.prod(plan.tile_shape))
        if options.max_ram is None:
            return max(1, min(_COLORED_BATCH, _BATCH_PX // tile_px))
        live = live_bytes(model, plan.tile_shape)
        budget = tile_budget_px(
            options.max_ram,
            live_bytes_per_px=None if live is None else live / tile_px,
            slice_bytes=self._slice_bytes() * num_models,
            smallest_px=tile_px,
            num_models=num_models,
            has_halo=False,
        )
        return max(1, min(_COLORED_BATCH, min(budget, _BATCH_PX) // tile_px))

    def _slice_bytes(self) -> int:
        """Memory for one slice outside the network: stored, cut out, its probability, merged."""
        stored = int(np.prod(self._volume.shape[1:]))
        scaled = int(np.prod(self._scaled_shape))
        is_scaled = self._scaled_shape != self._volume.shape[1:]
        # Probabilities of a channel: the region's, the whole slice's, and as stored; more while they are resampled.
        results = self._channels * (stored * 8 + scaled * 4)
        colored = _CLAHE_BYTES + _COLORED_BYTES_PER_PX * stored if self._card.preprocessing.resizes else 0
        return stored * (2 * self._volume.dtype.itemsize + 4) + results + scaled * (20 if is_scaled else 0) + colored

    def _finished(self, probability: np.ndarray) -> np.ndarray:
        """Bring the probability of the region back to the slice's scale and into the slice."""
        shape = self._volume.shape[1:]
        if self._scaled_shape != shape:
            whole = np.zeros(self._scaled_shape, np.float32)
            whole[tuple(slice(*span) for span in self._wanted)] = probability
            # Resampled as a whole slice, so that pixels lie where they do without a region; then cut to it.
            probability = resampled(whole, shape)[tuple(slice(*span) for span in self._roi)]
        if probability.shape == shape:
            return probability
        whole = np.zeros(shape, np.float32)
        whole[tuple(slice(*span) for span in self._roi)] = probability
        return whole


class _OpenSlice:
    """A slice whose tiles are under way."""

    def __init__(self, part: np.ndarray, plan: TilePlan, channels: int) -> None:
        self._part = part
        self._origin = [start for start, _ in plan.reach]
        self._wanted = [start for start, _ in plan.wanted]
        self.probability = np.zeros([*(stop - start for start, stop in plan.wanted), channels], np.float32)
        self.added = 0

    def voxels(self, tile: tuple[Window, ...]) -> np.ndarray:
        """Return what a tile reads."""
        return self._part[
            # Windows count from the slice's first pixel, the part from the start of `reach`.
            tuple(slice(w.start - o, w.start - o + w.length) for w, o in zip(tile, self._origin, strict=True))
        ]

    def add(self, tile: tuple[Window, ...], result: np.ndarray) -> None:
        """Add a tile's share."""
        share = result[tuple(slice(w.kept[0] - w.start, w.kept[1] - w.start) for w in tile)]
        for axis, window in enumerate(tile):
            # (length,) -> (length, 1, 1) along y, (1, length, 1) along x.
            share = share * np.expand_dims(window.weights, [a for a in range(share.ndim) if a != axis])
        target = tuple(slice(w.kept[0] - o, w.kept[1] - o) for w, o in zip(tile, self._wanted, strict=True))
        self.probability[target] += share
        self.added += 1


def _scaled_span(span: Span, size: int, scaled_size: int) -> Span:
    """Return the pixels of the scaled axis that a span of the stored one depends on."""
    if size == scaled_size:
        return span
    factor = scaled_size / size
    margin = _SCALED_MARGIN_PX * max(1, int(np.ceil(factor)))
    low, high = int(span[0] * factor) - margin, int(np.ceil(span[1] * factor)) + margin
    return max(0, low), min(scaled_size, high)
