"""Images and annotations are distinguished by how often neighbouring voxels differ."""

from __future__ import annotations

import numpy as np

from segkit.volumes.volume import Volume

# Images of 8 data sets of electron and fluorescence microscopy have shares from 0.36 to 1, their annotations (masks,
# classes, ids of cells and neurons, an oversegmentation) up to 0.07. What lies between the limits is called neither.
_IMAGE, _ANNOTATION = 0.3, 0.2
_SLICES = 3  # that say something
_PIXELS = 2**20  # of a slice that are looked at, about


def looks_like_image(volume: Volume) -> bool:
    """Return whether many neighbouring voxels differ, as in images and unlike masks, labels and ids.

    Example:
        >>> looks_like_image(Volume(array=np.arange(12).reshape(1, 3, 4)))
        True
    """
    share = share_of_changes(volume)
    return share is not None and share > _IMAGE


def looks_like_annotation(volume: Volume) -> bool:
    """Return whether a volume consists of areas of one whole number each, as masks, labels and ids do.

    An image without any noise may look like that too.

    Example:
        >>> looks_like_annotation(Volume(array=np.tri(4)[None]))
        True
    """
    share = share_of_changes(volume, of_whole_numbers=True)
    return share is not None and share < _ANNOTATION


def share_of_changes(volume: Volume, *, of_whole_numbers: bool = False) -> float | None:
    """Return the share of neighbours along a row that have two values, in slices spread over the volume.

    Pairs with a voxel of the most frequent value of their slice are left out: it is the background of annotations, and
    of images where a detector or a program has cut off what is dark. Of a mask, neighbours that remain are equal.

    Args:
        volume: The volume; slices are read until three of them have such pairs, and of large ones every n-th row.
        of_whole_numbers: Return ``None`` where a voxel that is looked at is no whole number.

    Returns:
        The share; ``None`` where no slice has such a pair.
    """
    changed = counted = found = 0
    for z in _spread(volume.shape[0]):
        values = np.asarray(volume.array[z])
        values = values[:: max(1, values.size // _PIXELS)]
        if of_whole_numbers and values.dtype.kind == "f" and not (np.isfinite(values) & (values % 1 == 0)).all():
            return None
        values = np.nan_to_num(values)
        numbers, counts = np.unique(values, return_counts=True)
        others = values != numbers[counts.argmax()]
        both = others[:, :-1] & others[:, 1:]
        if both.any():
            changed += int(np.count_nonzero(both & (values[:, :-1] != values[:, 1:])))
            counted += int(np.count_nonzero(both))
            found += 1
        if found == _SLICES:
            break
    return changed / counted if counted else None


def _spread(count: int) -> list[int]:
    """Return all indices, those first that are at a quarter, half and three quarters."""
    return list(dict.fromkeys([count // 4, count // 2, 3 * count // 4, *range(count)]))
