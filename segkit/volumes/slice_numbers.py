"""The numbers in the names of slices: which ones are missing, and whether those of two folders go together."""

from __future__ import annotations

import itertools
import math
import pathlib
import re
from collections.abc import Sequence

from segkit.volumes.volume import Volume

_SHOWN = 5  # missing slices that are named


def slice_numbers(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers that names differ by; ``None`` where they differ by anything else, or by several numbers.

    Args:
        names: File names of slices in their order. Suffixes do not count.

    Example:
        >>> slice_numbers(["cell2_s08.png", "cell2_s9.png", "cell2_s10.png"])
        (8, 9, 10)
    """
    stems = [re.split(r"([0-9]+)", pathlib.PurePath(name).stem) for name in names]
    if len({len(stem) for stem in stems}) != 1:
        return None
    texts, digits = (list(zip(*(stem[start::2] for stem in stems), strict=True)) for start in (0, 1))
    varying = [numbers for part in digits if len(set(numbers := tuple(map(int, part)))) > 1]
    if len(varying) != 1 or any(len(set(part)) > 1 for part in texts):
        return None
    (numbers,) = varying
    return numbers if all(a < b for a, b in itertools.pairwise(numbers)) else None


def missing_slices(names: Sequence[str]) -> str | None:
    """Return a line where numbers in names have gaps; steps that are all equal, such as every fifth slice, have none.

    Args:
        names: File names of slices in their order.

    Example:
        >>> missing_slices(["s0.png", "s2.png", "s4.png"])
        >>> missing_slices(["s0.png", "s1.png", "s3.png"])
        'slice 2 is missing between s0.png and s3.png; what is before and after is taken as neighbours'
    """
    numbers = slice_numbers(names)
    if numbers is None:
        return None
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    step = math.gcd(*steps)
    count = (numbers[-1] - numbers[0]) // step - len(steps)
    if not count or len(set(steps)) == 1:
        return None
    # Not all of them are listed first: names may hold numbers that are far apart, such as times.
    gaps = (range(a + step, b, step) for a, b in itertools.pairwise(numbers))
    shown = list(map(str, itertools.islice(itertools.chain.from_iterable(gaps), _SHOWN)))
    if count > _SHOWN:
        shown.append(f"{count - _SHOWN} more")
    listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    what = f"slice {listed} is" if count == 1 else f"slices {listed} are"
    return f"{what} missing between {names[0]} and {names[-1]}; what is before and after is taken as neighbours"


def other_numbers(volume: Volume, other: Volume, what: str) -> str | None:
    """Return where the slices of two folders have numbers that do not go together; ``None`` where they do.

    Slices are paired in their order. Numbers that differ by a constant, as where one folder is numbered from 0 and the
    other from 1, go together.

    Args:
        volume: The volume that the line is about.
        other: What it is compared with, of the same shape.
        what: What ``other`` is called in the line.
    """
    names = [each.metadata.get("slice_names", ()) for each in (volume, other)]
    numbers = [slice_numbers(each) if len(each) == volume.shape[0] else None for each in names]
    if None in numbers:
        return None
    offsets = [a - b for a, b in zip(*numbers, strict=True)]
    z = next((z for z, offset in enumerate(offsets) if offset != offsets[0]), None)
    if z is None:
        return None
    return (
        f"slices are paired in their order, but {names[0][z]} would belong to another slice of {what} than "
        f"{names[1][z]}; unless they were renumbered, give both the same slices"
    )
