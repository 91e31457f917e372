"""Batches of patches as a pure function of (seed, epoch, index): the one source of every pipeline."""

from __future__ import annotations

import copy
import functools
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segkit.data.augmentation import NO_AUGMENTATION, Augmentation
from segkit.data.patches import PatchTable
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.targets.foreground import ForegroundTarget
from segkit.targets.target import Target

Spans = Mapping[str, tuple[int, int]]
"""Names of a network's outputs, and the channels of the target of each: the first, and the one after the last."""

LOGITS: Spans = {"logits": (0, 1)}
"""The outputs of a network that has one channel as its only target."""

_ORDER, _CHANGE = 0, 1  # what a random stream is for: two uses never share one


class PatchSampler:
    """Cut, augment and normalise patches, and make their targets.

    Nothing is kept between calls: ``batch(step)`` gives the same arrays whenever, wherever and in whatever thread it
    is called, so an interrupted run continues its own sequence. Arrays are read by slices, so a memory-mapped
    volume of any size is never loaded.

    Args:
        pairs: Image and annotation of each volume, both ``(z, y, x)``; images of several channels
            ``(z, y, x, channels)``. The annotation may have several parts, which follow each other.
        table: The patches, of slices or boxes of several.
        batch_size: Patches per step; the last step of an epoch holds what is left.
        preprocessing: How voxels are converted to the input of the network, such as ``Standardize(mean=..., std=...)``.
        target: Makes target and weight of the augmented annotation; ``ForegroundTarget()`` by default.
        augmentation: What may be changed; nothing by default.
        voxel_size: Extent of a voxel along each axis of the patches, in any unit: augmentation turns patches only in
            planes where it is the same. By default the same along all axes.
        shuffle: Draw a new order every epoch.
        seed: Seed of order and augmentation.

    Raises:
        ValueError: If the table is empty, the batch size is no positive whole number, the pairs have not as many
            annotations as the target takes, an annotation is not of the shape of its image, images differ in their
            channels, or patches of the table are not within the volumes.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Any, ...]],
        table: PatchTable,
        *,
        batch_size: int,
        preprocessing: Preprocessing,
        target: Target | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
        voxel_size: Sequence[float] | None = None,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        if not len(table):
            raise ValueError("`table` must hold at least one patch")
        if isinstance(batch_size, bool) or not isinstance(batch_size, numbers.Integral) or batch_size < 1:
            raise ValueError(f"`batch_size` must be a positive whole number. Received: batch_size={batch_size!r}")
        self.pairs = list(pairs)
        _check_volumes([pair[0].shape for pair in self.pairs], table)
        self.channels = shape[3] if len(shape := self.pairs[0][0].shape) == 4 else preprocessing.num_channels
        self.target = target or ForegroundTarget()
        parts = len(self.target.nearest)
        if wrong := {len(pair) - 1 for pair in self.pairs} - {parts}:
            raise ValueError(
                f"`pairs` must hold an image and {parts} annotations for this target. Received: {min(wrong)} "
                f"annotations, target={self.target!r}"
            )
        for number, (image, *parts_given) in enumerate(self.pairs):
            if wrong := [np.shape(part) for part in parts_given if np.shape(part)[:3] != image.shape[:3]]:
                raise ValueError(
                    "`pairs` must hold annotations of the shape of their image (z, y, x). Received: "
                    f"an image {image.shape} and an annotation {wrong[0]} in pair {number}"
                )
        self.table = table
        self.batch_size = batch_size
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.voxel_size = voxel_size
        self.shuffle = shuffle
        self.seed = seed
        self._keep_orders()

    def _keep_orders(self) -> None:
        # Two: batches of the next epoch are prepared while the last of this one are still in use.
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy, also one in another process, is made of: the cache is bound to this sampler."""
        return {name: value for name, value in vars(self).items() if name != "_order"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._keep_orders()

    def with_seed(self, seed: int) -> PatchSampler:
        """Return a sampler of the same patches with another order and other augmentation."""
        return self._changed(seed=seed)

    def without_augmentation(self) -> PatchSampler:
        """Return a sampler of the same patches without augmentation."""
        return self._changed(augmentation=NO_AUGMENTATION)

    def _changed(self, **changes: Any) -> PatchSampler:
        other = copy.copy(self)
        vars(other).update(changes)
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
            Normalised images, float32, ``(batch, *patch_shape, channels)``, and targets with their weight behind,
            float32, ``(batch, *patch_shape, target.channels + 1)``.

        Raises:
            ValueError: If the target returns something other than target and weight of the patch.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        first = place * self.batch_size
        chosen = self.order(epoch)[first : first + self.batch_size]
        shape = (len(chosen), *self.table.patch_shape)
        images = np.empty((*shape, self.channels), np.float32)
        targets = np.empty((*shape, self.target.channels + 1), np.float32)
        for i, row in enumerate(chosen):
            self._fill(images[i], targets[i], int(row), epoch, first + i)
        return images, targets

    def _fill(self, image_out: np.ndarray, target_out: np.ndarray, row: int, epoch: int, index: int) -> None:
        window = self.table.window(row)
        image, *parts = (np.asarray(array[window]) for array in self.pairs[self.table.rows[row, 0]])
        gain, shift = 1.0, 0.0
        if self.augmentation != NO_AUGMENTATION:
            # By place in the epoch and not by row, so that copies of a patch are changed differently.
            rng = np.random.default_rng([self.seed, _CHANGE, epoch, index])
            change = self.augmentation.draw(rng, self.table.patch_shape, self.voxel_size)
            gain, shift = change.gain, change.shift
            image, *parts = (change.turn(part) for part in (image, *parts))
            if change.displacement_px is not None:
                values = self.preprocessing.finish(image, gain=gain, shift=shift)
                image_out[...] = change.bend(values, nearest=False).reshape(image_out.shape)
                parts = [
                    change.bend(part, nearest=nearest) for part, nearest in zip(parts, self.target.nearest, strict=True)
                ]
                self._annotate(parts, target_out)
                return
        self.preprocessing.finish(image, image_out, gain=gain, shift=shift)
        self._annotate(parts, target_out)

    def _annotate(self, parts: Sequence[np.ndarray], out: np.ndarray) -> None:
        """Write target and weight of a patch, whether the target has written them itself or returns them."""
        made = self.target(parts, out=out)
        if made is not out:
            self._take_over(made, out)
        if not out[..., -1].min() >= 0:
            raise ValueError(
                f"`target` must return weights that are not negative, in the last channel. Received: "
                f"{out[..., -1].min()} from {self.target!r}"
            )

    def _take_over(self, made: Any, out: np.ndarray) -> None:
        """Write what a target has returned."""
        if np.shape(made) != out.shape:
            found = type(made).__name__ if made is None else f"shape={np.shape(made)}"
            raise ValueError(
                f"`target` must return the target with its weight behind, shape {out.shape} for these patches. "
                f"Received: {found} from {self.target!r}"
            )
        out[...] = made

    def _draw_order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.table))
        return np.random.default_rng([self.seed, _ORDER, epoch]).permutation(len(self.table))


def _check_volumes(shapes: Sequence[tuple[int, ...]], table: PatchTable) -> None:
    """Refuse images that are no volumes or of other channels, and a table that was made of other volumes."""
    if not shapes:
        raise ValueError("`pairs` must hold at least one image and its annotation")
    if wrong := [shape for shape in shapes if len(shape) not in (3, 4) or shape[3:] != shapes[0][3:]]:
        raise ValueError(
            "`pairs` must hold images (z, y, x), or (z, y, x, channels) of equal channels. "
            f"Received: {wrong[0]} beside {shapes[0]}"
        )
    volumes, firsts = table.rows[:, 0], table.rows[:, 1:]
    if volumes.max() >= len(shapes):
        raise ValueError(
            f"`pairs` must hold every volume that `table` was made of. Received: {len(shapes)} pairs, patches of "
            f"volume {volumes.max()}"
        )
    # The extent along (z, y, x): a patch of a slice has none along z.
    extent = (1,) * (3 - len(table.patch_shape)) + table.patch_shape
    outside = (firsts < 0) | (firsts + extent > np.array([shape[:3] for shape in shapes])[volumes])
    if outside.any():
        row = int(outside.any(axis=1).argmax())
        raise ValueError(
            "`table` must be made of the annotations in `pairs`. Received: a patch that begins at "
            f"{tuple(firsts[row].tolist())} in volume {volumes[row]}, which is {shapes[volumes[row]][:3]}"
        )


def named_targets(targets: np.ndarray, outputs: Spans) -> dict[str, np.ndarray]:
    """Return what each output of a network is compared with: its part of the target, and the weight last.

    Args:
        targets: Targets of a batch with their weight, as ``PatchSampler.batch`` gives them.
        outputs: Names of outputs and the channels of the target of each.

    Raises:
        ValueError: If there are no such channels.
    """
    channels = targets.shape[-1] - 1
    if wrong := [span for span in outputs.values() if not 0 <= span[0] < span[1] <= channels]:
        raise ValueError(
            f"`outputs` must name channels of the target, which has {channels}. Received: {wrong[0]} in {dict(outputs)}"
        )
    # All channels are passed on as they are, without a copy; others with the weight (-1) behind them.
    parts = {
        span: targets if span == (0, channels) else targets[..., [*range(*span), -1]] for span in set(outputs.values())
    }
    return {name: parts[tuple(span)] for name, span in outputs.items()}
