"""Objects of volumes larger than memory: block by block, with one numbering for all of them.

The volume is passed over twice before objects are written, because a block can only be flooded when the seeds in its
halo are known, and those are found in other blocks:

1. *Seed*: find the peaks in each block and number them over all blocks. Peaks that lie close together are one seed,
   also across a border between blocks, where only the voxels between them touch. These voxels are therefore kept with
   the ids of their peaks, but negative: they tie peaks together and are no seeds themselves.
2. *Flood*: grow each block, halo included, from the seeds in it, and keep the core.
3. *Reconcile*: join what the borders cut, and renumber the objects.
4. *Fill* holes and count voxels, then leave small objects out.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from skimage.measure import label
from skimage.segmentation import watershed
from skimage.util import map_array

from segkit.geometry.block_grid import BlockGrid, Box, inside
from segkit.instances.fill_holes import fill_holes
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.join_slices import joined_numbers
from segkit.instances.reconcile import absorb_fragments, border_contacts, connected_ids, ranks_of_keys
from segkit.instances.renumber import smallest_id_dtype
from segkit.instances.saddles import find_saddles, highest_of_pairs, join_shallow, peaks_of
from segkit.instances.seeds import find_peaks, grown_peaks
from segkit.instances.segment_instances import check_voxel_size, seed_heights, separate

_log = logging.getLogger(__name__)


def segment_blockwise(
    probability: Any,
    settings: InstanceSettings,
    folder: str | os.PathLike[str],
    *,
    block_shape: Sequence[int],
    halo: Sequence[int],
    voxel_size: Sequence[float] = (1.0, 1.0, 1.0),
    heatmap: Any = None,
) -> np.ndarray:
    """Give every object of a volume an id, one block with its surroundings in memory at a time.

    Seeds are found in all blocks first and numbered through; then every block is flooded from the seeds in and around
    it. Connected components are always those of ``segment_instances``. Watersheds are where the halo is larger than the
    objects and what smooths and separates their seeds (twice ``seed_distance``, four times ``smoothing``), but for
    voxels equally high from two seeds, and holes where it is larger than the objects that they lie in. Where it is not,
    an object may be cut at a border of blocks as if it were two, become one with an object that it touches, or end
    elsewhere; no voxel of the mask gets lost. A warning is logged for objects that are certainly too thick.

    Args:
        probability: Probability of objects, ``(z, y, x)``; read by boxes.
        settings: How they are separated. Slice by slice, each slice is a block, and there is no halo.
        folder: An existing folder, on a disk with room for 28 bytes per voxel; the result stays there.
        block_shape: Extent of the blocks along ``(z, y, x)``, positive [voxels].
        halo: What is looked at around a block along ``(z, y, x)``, not negative [voxels].
        voxel_size: Extent of a voxel along ``(z, y, x)``, positive, in the unit of the settings' distances.
        heatmap: Heatmap of centres, same shape, for the method ``"centers"``.

    Returns:
        Ids from 1 on without gaps, 0 for background, of the smallest type that holds them, ``(z, y, x)``, mapped from
        ``labels.npy`` in the folder.

    Raises:
        ValueError: If extents are out of range, the heatmap is missing where it is needed, or shapes do not fit.
    """
    check_voxel_size(voxel_size)
    shape = tuple(probability.shape)
    if len(shape) != 3 or (heatmap is not None and tuple(heatmap.shape) != shape):
        raise ValueError(f"`probability` and `heatmap` must be (z, y, x). Received: {shape}")
    if settings.method == "centers" and heatmap is None:
        raise ValueError("`heatmap` must be given for the method 'centers'")
    if len(block_shape) != 3 or min(block_shape) < 1 or len(halo) != 3 or min(halo) < 0:
        raise ValueError(
            "`block_shape` must be three positive numbers and `halo` three that are not negative. "
            f"Received: block_shape={tuple(block_shape)!r}, halo={tuple(halo)!r}"
        )
    volume = _Volume(probability, heatmap, settings, tuple(voxel_size), pathlib.Path(folder))
    if settings.slice_wise:
        return volume.slice_by_slice()
    blocks = BlockGrid(shape, block_shape, halo)
    return volume.block_by_block(blocks)


@dataclasses.dataclass
class _Flood:
    """What is known of all blocks once they are flooded.

    Attributes:
        labels: Ids: those of the seeds, then those of fragments, which no seed in their block reaches.
        num_seeds: The last id of a seed.
        num_ids: The last id.
        thickest: Greatest height, the distance of the deepest voxel from the background.
        peaks: Greatest height of each seed's object, by its id.
        pairs: Objects that touch, an array of pairs for each block.
        saddles: Height of the border of each pair.
    """

    labels: np.ndarray
    num_seeds: int
    num_ids: int
    thickest: float
    peaks: np.ndarray
    pairs: list[np.ndarray]
    saddles: list[np.ndarray]


class _Volume:
    """A volume under way: its state is in files."""

    def __init__(
        self,
        probability: Any,
        heatmap: Any,
        settings: InstanceSettings,
        voxel_size: tuple[float, ...],
        folder: pathlib.Path,
    ) -> None:
        self.probability, self.heatmap = probability, heatmap
        self.settings, self.voxel_size, self.folder = settings, voxel_size, folder
        self.shape = tuple(probability.shape)

    def block_by_block(self, blocks: BlockGrid) -> np.ndarray:
        """Separate objects in 3-D."""
        # Ids are int64: before fragments are joined, a large volume can have more of them than int32 holds.
        labels = self._file("flooded", np.int64)
        seeds, num_seeds = (None, 0) if self.settings.method == "components" else self._seeds(blocks, labels)
        flood = self._flooded(blocks, seeds, num_seeds, labels)
        # Deeper than the halo is wide: the nearest background, and so the seed, may lie outside the boxes.
        if flood.thickest > (reach := blocks.least_halo(self.voxel_size)):
            _log.warning(
                "objects are up to %.3g px deep, but only %.3g px around each block are seen: they may be cut, or "
                "merged with a neighbour; allow more memory, or give a larger seed distance",
                flood.thickest,
                reach,
            )
        filled, sizes = self._filled(blocks, flood, self._reconciled(blocks, flood))
        return self._finished(filled, sizes, blocks.cores())

    @property
    def _joins_shallow(self) -> bool:
        return self.settings.method == "distance" and self.settings.min_depth > 0

    def _flooded(self, blocks: BlockGrid, seeds: np.ndarray | None, num_seeds: int, labels: np.ndarray) -> _Flood:
        """Flood every block and write the ids of its core."""
        flood = _Flood(
            labels=labels,
            num_seeds=num_seeds,
            num_ids=num_seeds,
            thickest=0.0,
            peaks=np.zeros(num_seeds + 1, np.float32),
            pairs=[np.zeros((0, 2), np.int64)],
            saddles=[np.zeros(0, np.float32)],
        )
        for core in blocks.cores():
            box = blocks.around(core)
            # Flood with the halo, keep the core: what lies in the halo is decided by the blocks whose core it is.
            mask, ids, heights = self._flood_box(box, seeds)
            core_in_box = inside(core, box)
            if self.settings.method == "distance":
                flood.thickest = max(flood.thickest, float(heights[core_in_box].max()))
            if self._joins_shallow:
                self._add_saddles(flood, ids, heights, core_in_box)
            # Mask without a seed within the halo is kept as fragments, which are joined across borders afterwards.
            mask, ids = mask[core_in_box], ids[core_in_box]
            fragments = label(mask & (ids == 0), connectivity=1).astype(np.int64)
            labels[core] = np.where(fragments > 0, fragments + flood.num_ids, ids)
            flood.num_ids += int(fragments.max(initial=0))
        return flood

    def _add_saddles(self, flood: _Flood, ids: np.ndarray, heights: np.ndarray, core_in_box: Box) -> None:
        """Add the peaks of a block's objects, and the saddles between those that touch."""
        found = peaks_of(ids[core_in_box], heights[core_in_box], flood.num_seeds)
        np.maximum(flood.peaks, found, out=flood.peaks)
        # One voxel more along each axis: objects touch across the borders of blocks too, and every face between two
        # cores is then in one of them.
        further = tuple(slice(part.start, part.stop + 1) for part in core_in_box)
        pairs, saddles = find_saddles(ids[further], heights[further])
        flood.pairs.append(pairs)
        flood.saddles.append(saddles)

    def _reconciled(self, blocks: BlockGrid, flood: _Flood) -> np.ndarray:
        """Return the number of the object that each id belongs to."""
        contacts = border_contacts(flood.labels, blocks)
        numbers = absorb_fragments(*contacts, num_seeded=flood.num_seeds, num_ids=flood.num_ids)
        if not self._joins_shallow:
            return numbers
        pairs, saddles = highest_of_pairs(np.concatenate(flood.pairs), np.concatenate(flood.saddles))
        joined = join_shallow(flood.peaks, pairs, saddles, min_depth=self.settings.min_depth)
        # A seeded id is the smallest of its group, so `numbers` maps it to itself; its fragments follow it.
        owners = np.arange(numbers.max() + 1)
        owners[numbers[: flood.num_seeds + 1]] = numbers[joined]
        return owners[numbers]

    def _filled(self, blocks: BlockGrid, flood: _Flood, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write the numbers of objects, with their holes filled, and count the voxels of each."""
        fills = self.settings.fill
        # A block is filled with its halo, which must still be as it was flooded when the next one is.
        filled = self._file("filled", np.int64) if fills else flood.labels
        sizes = np.zeros(flood.num_ids + 1, np.int64)
        for core in blocks.cores():
            box = blocks.around(core) if fills else core
            part = numbers[flood.labels[box]]
            if fills:
                # In 3-D every hole of a single slice would be open along z.
                is_flat = self.shape[0] == 1
                part = (fill_holes(part[0])[None] if is_flat else fill_holes(part))[inside(core, box)]
            filled[core] = part
            sizes += np.bincount(part.ravel(), minlength=flood.num_ids + 1)
        return filled, sizes

    def slice_by_slice(self) -> np.ndarray:
        """Separate objects in every slice and join them."""
        # (z, y, x); ids start from 1 again in every slice until `joined_numbers` relates them.
        labels = self._file("flooded", np.int64)
        planes = [(slice(z, z + 1), slice(None), slice(None)) for z in range(self.shape[0])]
        for z in range(self.shape[0]):
            mask, heat = self._read((slice(z, z + 1), slice(0, self.shape[1]), slice(0, self.shape[2])))
            labels[z] = separate(mask[0], self.settings, self.voxel_size[1:], None if heat is None else heat[0])
        # `min_iou` 0 joins whatever overlaps at all; `joined_numbers` needs a positive bound.
        ids, numbers = joined_numbers(labels, min_iou=max(self.settings.min_iou, np.finfo(float).tiny))
        total = max((int(new.max(initial=0)) for new in numbers), default=0)
        sizes = np.zeros(total + 1, np.int64)
        for z, (known, new) in enumerate(zip(ids, numbers, strict=True)):
            part = map_array(labels[z], known, new)
            labels[z] = fill_holes(part) if self.settings.fill else part
            sizes += np.bincount(labels[z].ravel(), minlength=total + 1)
        return self._finished(labels, sizes, planes)

    def _file(self, name: str, dtype: Any) -> np.ndarray:
        return np.lib.format.open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=dtype, shape=self.shape)

    def _read(self, box: Box) -> tuple[np.ndarray, np.ndarray | None]:
        mask = np.asarray(self.probability[box]) > self.settings.threshold
        return mask, None if self.heatmap is None else np.asarray(self.heatmap[box])

    def _seeds(self, blocks: BlockGrid, pieces: np.ndarray) -> tuple[np.ndarray, int]:
        """Number the seeds of all blocks, as ``peak_seeds`` and ``split_seeds`` do it with the whole volume.

        Args:
            blocks: How the volume is cut.
            pieces: Room for the connected components of the mask.

        Returns:
            Ids of seeds from 1 on, 0 elsewhere, and their number.
        """
        seeds, num_peaks, num_pieces = self._peaks(blocks, pieces)
        # Two groups per seed voxel, across blocks: the plateau of peaks that it is tied to, and its piece of the mask.
        # Grown peaks also touch diagonally, hence connectivity 3; pieces are connected by faces.
        ties = connected_ids(border_contacts(seeds, blocks, connectivity=3)[0], num_peaks)
        touching = connected_ids(border_contacts(pieces, blocks)[0], num_pieces)

        def keys_of(core: Box) -> tuple[np.ndarray, np.ndarray]:
            """Return the places of a block's seeds, and a key for each voxel: tied peaks are one seed within one
            component of the mask, so the key is the pair of both, in one integer."""
            chosen = (seeds[core] > 0) & (pieces[core] > 0)
            # One integer per pair (tie, piece), as `touching` is at most `num_pieces`.
            return chosen, ties[seeds[core][chosen]] * (num_pieces + 1) + touching[pieces[core][chosen]]

        # Ranks by first voxel make the ids, and with them the outcome of ties, independent of the blocks.
        known, ranks = ranks_of_keys(((core, *keys_of(core)) for core in blocks.cores()), self.shape)
        for core in blocks.cores():
            chosen, keys = keys_of(core)
            ids = np.zeros(chosen.shape, np.int64)
            ids[chosen] = ranks[np.searchsorted(known, keys)]
            seeds[core] = ids
        return seeds, len(known)

    def _peaks(self, blocks: BlockGrid, pieces: np.ndarray) -> tuple[np.ndarray, int, int]:
        """Find the peaks and the connected components of every block, each numbered on from block to block.

        Args:
            blocks: How the volume is cut.
            pieces: The components are written here.

        Returns:
            Ids of peaks, negative for voxels that only tie them together; the number of peaks, and of components.
        """
        seeds, num_peaks, num_pieces = self._file("seeds", np.int64), 0, 0
        ask = {"distance": self.settings.seed_distance, "voxel_size": self.voxel_size}
        for core in blocks.cores():
            box = blocks.around(core)
            core_in_box = inside(core, box)
            mask, heat = self._read(box)
            heights, above = seed_heights(mask, self.settings, self.voxel_size, heat)
            peaks = find_peaks(heights, **ask, above=above)
            groups = label(grown_peaks(peaks, **ask)[core_in_box], connectivity=3).astype(np.int64)
            ids = np.where(groups > 0, groups + num_peaks, 0)
            seeds[core] = np.where(peaks[core_in_box], ids, -ids)
            num_peaks += int(groups.max(initial=0))
            piece = label(mask[core_in_box], connectivity=1).astype(np.int64)
            pieces[core] = np.where(piece > 0, piece + num_pieces, 0)
            num_pieces += int(piece.max(initial=0))
        return seeds, num_peaks, num_pieces

    def _flood_box(self, box: Box, seeds: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return mask, ids of objects and heights of a block and what lies around it."""
        mask, heat = self._read(box)
        if seeds is None:
            return mask, np.zeros(mask.shape, np.int64), None
        heights, _ = seed_heights(mask, self.settings, self.voxel_size, heat)
        # The watershed takes int32, and ids of all blocks may be more: those in the box are numbered by themselves.
        known, place = np.unique(np.where(mask, seeds[box], 0), return_inverse=True)
        # The background marker is 0 even where every voxel of the box is a seed.
        if known[0] != 0:
            known, place = np.append(0, known), place + 1
        # Negative heights: the watershed floods from minima.
        grown = watershed(-heights, place.reshape(mask.shape).astype(np.int32), mask=mask, connectivity=1)
        return mask, known[grown], heights

    def _finished(self, labels: np.ndarray, sizes: np.ndarray, boxes: Any) -> np.ndarray:
        """Leave small objects out, close the gaps between ids, and write the result."""
        # Ids that were joined into another have size 0.
        keep = sizes >= max(1, self.settings.min_size)
        keep[0] = False
        dtype = smallest_id_dtype(int(keep.sum()))
        new = np.where(keep, np.cumsum(keep), 0).astype(dtype)
        result = self._file("labels", dtype)
        for box in boxes:
            result[box] = new[labels[box]]
        result.flush()
        for name in ("seeds", "flooded", "filled"):
            (self.folder / f"{name}.npy").unlink(missing_ok=True)
        return result
