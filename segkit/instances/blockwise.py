"""Objects of volumes beyond memory: block by block, with ids that run through all of them."""

from __future__ import annotations

import itertools
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse.csgraph import connected_components
from skimage.measure import label
from skimage.segmentation import watershed
from skimage.util import map_array

from segkit.instances.fill_holes import fill_holes
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.join_slices import joined_numbers
from segkit.instances.renumber import smallest_id_dtype
from segkit.instances.saddles import find_saddles, highest_of_pairs, join_shallow, peaks_of
from segkit.instances.seeds import find_peaks, grown_peaks, order_of
from segkit.instances.segment_instances import check_voxel_size, seed_heights, tell_apart

_log = logging.getLogger(__name__)

Box = tuple[slice, ...]


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
    """Give every object of a volume an id, a block with its surroundings in memory at a time.

    Seeds are found in all blocks first and numbered through; then every block is flooded from the seeds in and around
    it. Connected components are always those of ``segment_instances``. Watersheds are where the halo is larger than the
    objects and what smooths and separates their seeds (twice ``seed_distance``, four times ``smoothing``), but for
    voxels equally high from two seeds, and holes where it is larger than the objects that they lie in. Where it is not,
    an object may be cut at a border of blocks as if it were two, become one with an object that it touches, or end
    elsewhere; no voxel of the mask gets lost. Objects that are certainly too thick are warned of.

    Args:
        probability: Probability of objects, ``(z, y, x)``; read by boxes.
        settings: How they are told apart. Told apart slice by slice, a slice is a block, and there is no halo.
        folder: An existing folder, on a disk with room for 28 bytes a voxel; the result stays there.
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
    blocks = _Blocks(shape, tuple(block_shape), tuple(halo))
    return volume.flooded(blocks)


class _Blocks:
    """How a volume is cut."""

    def __init__(self, shape: Sequence[int], block_shape: Sequence[int], halo: Sequence[int]) -> None:
        self.shape, self.halo = shape, halo
        self.starts = [range(0, size, block) for size, block in zip(shape, block_shape, strict=True)]

    def cores(self) -> Iterator[Box]:
        """Yield the blocks."""
        for place in itertools.product(*self.starts):
            yield tuple(
                slice(start, min(start + starts.step, size))
                for start, starts, size in zip(place, self.starts, self.shape, strict=True)
            )

    def around(self, core: Box) -> Box:
        """Return a block with its surroundings."""
        return tuple(
            slice(max(part.start - width, 0), min(part.stop + width, size))
            for part, width, size in zip(core, self.halo, self.shape, strict=True)
        )

    def least_halo(self, voxel_size: Sequence[float]) -> float:
        """Return how far around a block is looked where the volume goes on, at least [unit of the voxel size]."""
        widths = zip(self.halo, voxel_size, self.starts, strict=True)
        return min((width * extent for width, extent, starts in widths if len(starts) > 1), default=np.inf)

    def borders(self) -> Iterator[tuple[int, int]]:
        """Yield axis and place of every plane between blocks."""
        for axis, starts in enumerate(self.starts):
            for start in starts[1:]:
                yield axis, start


class _Volume:
    """A volume under way: what is known of it lies in files."""

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

    def flooded(self, blocks: _Blocks) -> np.ndarray:
        """Tell objects apart in 3-D."""
        labels = self._file("flooded", np.int64)
        seeds, count = (None, 0) if self.settings.method == "components" else self._seeds(blocks, labels)
        total, thickest = count, 0.0
        is_joined = self.settings.method == "distance" and self.settings.min_depth > 0
        peaks, pairs, saddles = np.zeros(count + 1, np.float32), [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
        for core in blocks.cores():
            box = blocks.around(core)
            mask, found, heights = self._flood(box, seeds)
            inside = _inside(core, box)
            if self.settings.method == "distance":
                thickest = max(thickest, float(heights[inside].max()))
            if is_joined:
                np.maximum(peaks, peaks_of(found[inside], heights[inside], count), out=peaks)
                further = tuple(
                    slice(part.start, part.stop + 1) for part in inside
                )  # borders of blocks are borders too
                for known, new in zip((pairs, saddles), find_saddles(found[further], heights[further]), strict=True):
                    known.append(new)
            mask, found = mask[inside], found[inside]
            rest = label(mask & (found == 0), connectivity=1).astype(np.int64)
            labels[core] = np.where(rest > 0, rest + total, found)
            total += int(rest.max(initial=0))
        if thickest > (reach := blocks.least_halo(self.voxel_size)):
            _log.warning(
                "objects are up to %.3g px deep, but only %.3g px around a block are looked at: they may be cut, or "
                "become one with a neighbour; allow more memory, or give a larger seed distance",
                thickest,
                reach,
            )
        numbers = _merged_rests(labels, blocks, count, total)
        if is_joined:
            found = highest_of_pairs(np.concatenate(pairs), np.concatenate(saddles))
            joined = join_shallow(peaks, *found, min_depth=self.settings.min_depth)
            given = np.arange(numbers.max() + 1)
            given[numbers[: count + 1]] = numbers[joined]
            numbers = given[numbers]
        filled = self._file("filled", np.int64) if self.settings.fill else labels
        sizes = np.zeros(total + 1, np.int64)
        for core in blocks.cores():
            box = blocks.around(core) if self.settings.fill else core
            part = numbers[labels[box]]
            if self.settings.fill:
                is_flat = self.shape[0] == 1
                part = (fill_holes(part[0])[None] if is_flat else fill_holes(part))[_inside(core, box)]
            filled[core] = part
            sizes += np.bincount(part.ravel(), minlength=total + 1)
        return self._finished(filled, sizes, blocks.cores())

    def slice_by_slice(self) -> np.ndarray:
        """Tell objects apart in every slice and join them."""
        labels = self._file("flooded", np.int64)
        planes = [(slice(z, z + 1), slice(None), slice(None)) for z in range(self.shape[0])]
        for z in range(self.shape[0]):
            mask, heat = self._read((slice(z, z + 1), slice(0, self.shape[1]), slice(0, self.shape[2])))
            labels[z] = tell_apart(mask[0], self.settings, self.voxel_size[1:], None if heat is None else heat[0])
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

    def _seeds(self, blocks: _Blocks, pieces: np.ndarray) -> tuple[np.ndarray, int]:
        """Number the seeds of all blocks through, as ``peak_seeds`` and ``split_seeds`` do it with the whole volume.

        Args:
            blocks: How the volume is cut.
            pieces: Room for the connected components of the mask.
        """
        seeds, total, num_pieces = self._file("seeds", np.int64), 0, 0
        for core in blocks.cores():
            box = blocks.around(core)
            mask, heat = self._read(box)
            heights, above = seed_heights(mask, self.settings, self.voxel_size, heat)
            ask = {"distance": self.settings.seed_distance, "voxel_size": self.voxel_size}
            peaks = find_peaks(heights, **ask, above=above)
            inside = _inside(core, box)
            found = label(grown_peaks(peaks, **ask)[inside], connectivity=3).astype(np.int64)
            ids = np.where(found > 0, found + total, 0)
            seeds[core] = np.where(peaks[inside], ids, -ids)  # what only ties peaks together is negative
            total += int(found.max(initial=0))
            piece = label(mask[inside], connectivity=1).astype(np.int64)
            pieces[core] = np.where(piece > 0, piece + num_pieces, 0)
            num_pieces += int(piece.max(initial=0))
        pairs, piece_pairs = [np.zeros((0, 2), np.int64)], [np.zeros((0, 2), np.int64)]
        for axis, start in blocks.borders():
            here, there = (np.abs(seeds.take(place, axis=axis)) for place in (start - 1, start))
            for step in itertools.product((-1, 0, 1), repeat=2):
                pairs.append(_touching(here, there, step))
            planes = (np.asarray(pieces.take(place, axis=axis)) for place in (start - 1, start))
            piece_pairs.append(_touching(*planes, (0, 0)))
        ties = _groups(np.concatenate(pairs), total)
        touching = _groups(np.concatenate(piece_pairs), num_pieces)

        def keys_of(core: Box) -> tuple[np.ndarray, np.ndarray]:
            """Return the places of a block's seeds, and what tells apart those that are not one."""
            chosen = (seeds[core] > 0) & (pieces[core] > 0)
            return chosen, ties[seeds[core][chosen]] * (num_pieces + 1) + touching[pieces[core][chosen]]

        known, ranks = _ranked(((core, *keys_of(core)) for core in blocks.cores()), self.shape)
        for core in blocks.cores():
            chosen, keys = keys_of(core)
            ids = np.zeros(chosen.shape, np.int64)
            ids[chosen] = ranks[np.searchsorted(known, keys)]
            seeds[core] = ids
        return seeds, len(known)

    def _flood(self, box: Box, seeds: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return mask, objects and heights of a block and what lies around it."""
        mask, heat = self._read(box)
        if seeds is None:
            return mask, np.zeros(mask.shape, np.int64), None
        heights, _ = seed_heights(mask, self.settings, self.voxel_size, heat)
        known, place = np.unique(np.where(mask, seeds[box], 0), return_inverse=True)
        if known[0] != 0:
            known, place = np.append(0, known), place + 1
        found = watershed(-heights, place.reshape(mask.shape).astype(np.int32), mask=mask, connectivity=1)
        return mask, known[found], heights

    def _finished(self, labels: np.ndarray, sizes: np.ndarray, boxes: Any) -> np.ndarray:
        """Leave small objects out, close the gaps between ids, and write the result."""
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


def _inside(core: Box, box: Box) -> Box:
    """Return where a block lies in its surroundings."""
    return tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(core, box, strict=True))


def _touching(here: np.ndarray, there: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Return the pairs of ids of two planes, the second moved by a step, each once, ``(n, 2)``."""
    parts = [
        (slice(max(0, -s), size - max(0, s)), slice(max(0, s), size - max(0, -s)))
        for s, size in zip(step, here.shape, strict=True)
    ]
    first, second = here[tuple(a for a, _ in parts)], there[tuple(b for _, b in parts)]
    both = (first != 0) & (second != 0)
    return np.unique(np.stack([first[both], second[both]], axis=1), axis=0)


def _ranked(
    blocks: Iterable[tuple[Box, np.ndarray, np.ndarray]], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return all keys of the voxels of a volume, increasing, and the ranks of their first voxels, from 1 on.

    Args:
        blocks: Each block, where in it voxels have a key, and their keys.
        shape: Extent of the volume.
    """
    keys, firsts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for core, chosen, found in blocks:
        known, first = np.unique(found, return_index=True)
        places = [at[first] + part.start for at, part in zip(np.nonzero(chosen), core, strict=True)]
        keys.append(known)
        firsts.append(np.ravel_multi_index(places, shape))
    order = np.argsort(np.concatenate(firsts))
    known, begins = np.unique(np.concatenate(keys)[order], return_index=True)
    return known, order_of(begins)


def _groups(pairs: np.ndarray, total: int) -> np.ndarray:
    """Return for every id up to ``total`` the group it belongs to, from 1 on in the order of first members; 0 for 0."""
    graph = sparse.coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(total + 1, total + 1))
    _, member = connected_components(graph, directed=False)
    return member.astype(np.int64)  # id 0 touches nothing and is the first


def _merged_rests(labels: np.ndarray, blocks: _Blocks, count: int, total: int) -> np.ndarray:
    """Return the id that every id becomes where pieces without a seed are joined over the borders of blocks.

    From the largest common face down, a piece without a seed (which lies beyond the halo) becomes one with what it
    touches; two objects that have seeds, or have got one so, stay two.
    """
    pairs, faces = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for axis, start in blocks.borders():
        planes = np.stack([np.asarray(labels.take(place, axis=axis)).ravel() for place in (start - 1, start)], axis=1)
        planes = np.sort(planes[(planes > 0).all(axis=1)], axis=1)
        for known, new in zip((pairs, faces), np.unique(planes, axis=0, return_counts=True), strict=True):
            known.append(new)
    pairs, places = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    faces = np.bincount(places.ravel(), weights=np.concatenate(faces), minlength=len(pairs))
    of_rests = pairs[:, 1] > count  # the larger id: pieces without a seed come behind all seeds
    pairs, faces = pairs[of_rests], faces[of_rests]
    groups = DisjointSet(np.unique(pairs).tolist())
    smallest = {member: member for member in groups}  # of a group, by its root: whether it has a seed
    for first, second in pairs[np.argsort(-faces, kind="stable")].tolist():
        ends = smallest[groups[first]], smallest[groups[second]]
        if max(ends) > count and groups.merge(first, second):
            smallest[groups[first]] = min(ends)
    numbers = np.arange(total + 1)
    for member in groups:
        numbers[member] = smallest[groups[member]]
    return numbers
