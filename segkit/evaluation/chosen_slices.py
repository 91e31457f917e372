"""The slices of a volume that are scored."""

from __future__ import annotations

import collections
import numbers
from collections.abc import Sequence

from segkit.errors import InputError


def chosen_slices(slices: Sequence[int] | None, depth: int) -> list[int]:
    """Return the indices of the slices to score, checked.

    Args:
        slices: What was chosen; ``None`` for all. NumPy's whole numbers are taken, too.
        depth: Number of slices of the reference.

    Raises:
        ValueError: If ``slices`` are not indices: a mask of booleans stands for other slices than 0 and 1.
        InputError: If there is none, one is outside of the reference, or one is named twice, which would count twice.

    Example:
        >>> chosen_slices([4, 0], 5), chosen_slices(None, 2)
        ([4, 0], [0, 1])
    """
    if slices is None:
        return list(range(depth))
    given = list(slices) if hasattr(slices, "__iter__") else [slices]
    if not hasattr(slices, "__iter__") or not all(_is_index(z) for z in given):
        raise ValueError(f"`slices` must be indices, such as [0, 5]. Received: slices={slices!r}")
    indices = [int(z) for z in given]
    if not indices:
        raise InputError("slices []: none is chosen; give at least one index, or leave them out to score all")
    if outside := [z for z in indices if not 0 <= z < depth]:
        raise InputError(f"slices {outside}: outside of the reference, which has {depth} slices; give 0 to {depth - 1}")
    if twice := [z for z, count in collections.Counter(indices).items() if count > 1]:
        raise InputError(f"slices {twice}: named more than once; name every slice once")
    return indices


def _is_index(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
