"""Batches of patches as a pure function of (seed, epoch, index): the one source of every pipeline."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.patches import PatchTable
from segkit.data.weights import pixel_kinds, targets_and_weights

LOGITS = {"logits": 0}
"""The outputs of a network that has the mask as its only target."""

_FULL = 255  # value of 1 in maps
_ORDER, _CHANGE = 0, 1  # what a random stream is for: two uses never share one


class PatchSampler:
    """Cut, change, weigh and normalise patches.

    Nothing is kept between calls: ``batch(step)`` gives the same arrays whenever, wherever and in whatever thread it
    is called, so a run that was cut off goes on inside its history. Arrays are read by slices, so a memory-mapped
    volume of any size is never loaded.

    Args:
        pairs: Image and mask of each volume, both ``(z, y, x)``; coloured images ``(z, y, x, 3)``. After the mask may
            follow maps, uint8 with 255 for 1, which become further targets.
        table: The patches.
        batch_size: Patches a step; the last step of an epoch holds what is left.
        mean: Mean of the training voxels [grey value].
        std: Standard deviation of the training voxels [grey value], positive.
        weight_limit: Bound of the adaptive weights; ``None`` for no weighting.
        ignore_value: Mask value of pixels that nobody annotated.
        num_classes: Number of classes, background among them; with more than two the masks hold the class.
        augmentation: What may be changed; nothing by default.
        shuffle: Draw a new order every epoch.
        seed: Seed of order and augmentation.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Any, ...]],
        table: PatchTable,
        *,
        batch_size: int,
        mean: float,
        std: float,
        weight_limit: float | None = None,
        ignore_value: int | None = None,
        num_classes: int = 2,
        augmentation: Augmentation = NO_AUGMENTATION,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        if not len(table):
            raise ValueError("`table` must hold at least one patch")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: batch_size={batch_size!r}")
        if weight_limit is not None and num_classes != 2:
            raise ValueError(
                "`weight_limit` is for foreground and background. "
                f"Received: weight_limit={weight_limit!r}, num_classes={num_classes!r}"
            )
        self.pairs = list(pairs)
        self.channels = self.pairs[0][0].shape[3] if len(self.pairs[0][0].shape) == 4 else 1
        self.num_targets = len(self.pairs[0])  # mask and weight, then maps
        self.table = table
        self.batch_size = batch_size
        self.mean = float(mean)
        self.std = float(std)
        self.weight_limit = weight_limit
        self.ignore_value = ignore_value
        self.num_classes = num_classes
        self.augmentation = augmentation
        self.shuffle = shuffle
        self.seed = seed
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)

    def with_seed(self, seed: int) -> PatchSampler:
        """Return a sampler of the same patches with another order and other augmentation."""
        return self._changed(seed=seed)

    def without_augmentation(self) -> PatchSampler:
        """Return a sampler of the same patches without augmentation."""
        return self._changed(augmentation=NO_AUGMENTATION)

    def _changed(self, **changes: Any) -> PatchSampler:
        other = copy.copy(self)
        vars(other).update(changes)
        other._order = functools.lru_cache(maxsize=2)(other._draw_order)
        return other

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every patch of the table once."""
        return -(-len(self.table) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """Return the rows of the table in the order of an epoch, int64."""
        return self._order(epoch)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch.

        Args:
            step: Number of the batch, counted from the first epoch on.

        Returns:
            Normalised images, float32, ``(batch, y, x, channels)``, and targets with weights, float32,
            ``(batch, y, x, 2)``; where there are maps, one channel more for each.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        first = place * self.batch_size
        chosen = self.order(epoch)[first : first + self.batch_size]
        side = self.table.patch_shape[-1]
        images = np.empty((len(chosen), side, side, self.channels), np.float32)
        targets = np.empty((len(chosen), side, side, self.num_targets), np.float32)
        for i, row in enumerate(chosen):
            self._fill(images[i], targets[i], int(row), epoch, first + i)
        return images, targets

    def _fill(self, image_out: np.ndarray, target_out: np.ndarray, row: int, epoch: int, index: int) -> None:
        number = int(self.table.rows[row, 0])
        window = self.table.window(row)
        image, mask, *maps = (np.asarray(array[window]) for array in self.pairs[number])
        kinds = pixel_kinds(mask, self.ignore_value, self.num_classes)
        gain, shift = 1.0, 0.0
        if self.augmentation != NO_AUGMENTATION:
            change = self.augmentation.draw(
                np.random.default_rng([self.seed, _CHANGE, epoch, index]), self.table.patch_shape
            )
            gain, shift = change.gain, change.shift
            image, kinds, *maps = (change.turn(part) for part in (image, kinds, *maps))
            if change.displacement_px is not None:
                image = change.bend(image.astype(np.float32), nearest=False)
                kinds, *maps = (change.bend(part, nearest=True) for part in (kinds, *maps))
        # (image - mean) / std * gain + shift in two passes over the output
        np.multiply(
            image.reshape(image_out.shape),
            np.float32(gain / self.std),
            out=image_out,
            dtype=np.float32,
            casting="unsafe",
        )
        image_out += np.float32(shift - gain * self.mean / self.std)
        out = None if maps else target_out
        target = targets_and_weights(kinds, limit=self.weight_limit, num_classes=self.num_classes, out=out)
        if maps:
            target_out[..., :2] = target
            for channel, values in enumerate(maps, start=2):
                np.multiply(values, np.float32(1 / _FULL), out=target_out[..., channel])

    def _draw_order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.table))
        return np.random.default_rng([self.seed, _ORDER, epoch]).permutation(len(self.table))


def named_targets(targets: Any, outputs: Mapping[str, int]) -> dict[str, Any]:
    """Return what each output of a network is compared with: a target and its weight.

    Args:
        targets: Targets of a batch, as ``PatchSampler.batch`` gives them, of NumPy or of a backend.
        outputs: Names of outputs, and the channel of the target of each: 0 is the mask, 2 the first map.

    Raises:
        ValueError: If there is no such channel.
    """
    if max(outputs.values()) not in (0, *range(2, targets.shape[-1])):
        raise ValueError(
            f"`outputs` must name channels of the targets, 0 or a map's. Received: outputs={outputs!r}, targets of "
            f"{targets.shape[-1]} channels"
        )
    if targets.shape[-1] == 2:
        return dict.fromkeys(outputs, targets)
    # the target's channel, then channel 1
    return {
        name: targets[..., :2] if channel == 0 else targets[..., channel : 0 : 1 - channel]
        for name, channel in outputs.items()
    }
