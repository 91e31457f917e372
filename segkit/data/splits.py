"""Which slices are trained on, which choose the checkpoint, and which are only scored."""

from __future__ import annotations

import dataclasses

from segkit.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Slice indices of one volume; no index is in two of the three.

    Attributes:
        train: Slices that patches are cut from.
        validation: Slices that choose the checkpoint and stop the training.
        test: Slices that are scored at the end and nothing else; may be empty.

    Raises:
        InputError: If a slice has two uses.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shared = (set(self.train) & set(self.validation)) | (set(self.test) & {*self.train, *self.validation})
        if shared:
            raise InputError(
                f"slice {min(shared)} is used twice (training, validation, test); give ranges that do not overlap"
            )


def hold_out_every(count: int, step: int = 5, *, depth: int = 1) -> Split:
    """Hold out every ``step``-th slice, or block of consecutive slices, beginning with the first.

    Args:
        count: Number of slices.
        step: Distance between held-out slices or blocks, in slices or blocks. 5 gives the paper's 16 of 76.
        depth: Slices of a block: as many as a patch has, which must lie within consecutive slices.

    Returns:
        Split without test slices.

    Raises:
        InputError: If nothing would be left to train on.

    Example:
        >>> hold_out_every(7).validation
        (0, 5)
        >>> hold_out_every(13, depth=2).validation
        (0, 1, 10, 11)
    """
    if count < 2 * depth:
        slices = f"{count} slice{'' if count == 1 else 's'}"
        wanted = "none" if depth == 1 else f"no run of {depth} consecutive slices"
        raise InputError(
            f"the volume has {slices}: {wanted} can be held out; give a stack of at least {2 * depth} slices, or a "
            "second volume to validate with (--validation-tomogram and --validation-mask; in Python `splits`)"
        )
    if step < 2:
        raise InputError(f"a hold-out step of {step} leaves nothing to train on; give 2 or more")
    blocks = range(0, count - depth + 1, step * depth)
    held = {first + z for first in blocks for z in range(depth)}
    return Split(train=tuple(z for z in range(count) if z not in held), validation=tuple(sorted(held)))


def parse_slices(text: str, count: int) -> tuple[int, ...]:
    """Return the slice indices that ``"0-9,12"`` names; both ends of a range are meant.

    Args:
        text: Comma-separated indices and ranges.
        count: Number of slices of the volume.

    Raises:
        InputError: If the text is not such a list, or names a slice that does not exist.

    Example:
        >>> parse_slices("0-2,5", 8)
        (0, 1, 2, 5)
    """
    chosen: set[int] = set()
    for part in text.split(","):
        # "7" has no dash, and is the range from 7 to 7.
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"slices {text!r} cannot be read; write indices and ranges such as 0-9,12")
        end = int(last if dash else first)
        if end >= count:
            raise InputError(f"slices {text!r} reach outside the volume, which has slices 0 to {count - 1}")
        chosen.update(range(int(first), end + 1))
    if not chosen:
        raise InputError(f"slices {text!r} are empty; write the lower index first")
    return tuple(sorted(chosen))
