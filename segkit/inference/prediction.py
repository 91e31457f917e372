"""What a prediction has written."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a prediction has written.

    Attributes:
        path: The mask, probability or label volume.
        legend: What its labels mean, for several models; else ``None``.
        voxels: Structure and number of voxels given to it, in the order of the labels.
        overlap_voxels: Voxels that more than one model claimed.
        resumed_blocks: Slices, or boxes of networks of volumes, that were finished when it began.
        summary: What the task says of the whole result, such as its number of objects; ``None`` for nothing.
    """

    path: pathlib.Path
    legend: pathlib.Path | None
    voxels: tuple[tuple[str, int], ...]
    overlap_voxels: int
    resumed_blocks: int
    summary: str | None = None

    def __str__(self) -> str:
        """Return what was found, in a few words."""
        named = zip(told_names([name for name, _ in self.voxels]), self.voxels, strict=True)
        return self.summary or ", ".join(f"{name}: {count} voxels" for name, (_, count) in named) or "done"


def told_names(structures: Sequence[str]) -> list[str]:
    """Return the names of labels as messages give them: those of one structure with their label.

    Args:
        structures: What the labels 1, 2, ... mean.

    Example:
        >>> told_names(["golgi", "actin", "golgi"])
        ['golgi (label 1)', 'actin', 'golgi (label 3)']
    """
    return [
        f"{name} (label {label})" if structures.count(name) > 1 else name
        for label, name in enumerate(structures, start=1)
    ]
