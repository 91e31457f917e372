"""A description of a volume, for people and for programs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from segkit.volumes.volume import Volume
from segkit.volumes.voxel_statistics import VoxelStatistics, voxel_statistics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """A volume in words and numbers.

    Args:
        name: Path of the volume.
        format: Format of its file, ``None`` for a volume in memory.
        shape: (z, y, x).
        dtype: Name of the type of one voxel.
        num_bytes: Size of all voxels in memory [byte].
        voxel_size_nm: (z, y, x), ``None`` where unknown.
        origin_nm: (z, y, x).
        axes: Order of the axes in the file, slowest first.
        statistics: Range, mean and spread of all voxels.
        warnings: What the file does not say, or says oddly.
    """

    name: str
    format: str | None
    shape: tuple[int, int, int]
    dtype: str
    num_bytes: int
    voxel_size_nm: tuple[float, float, float] | None
    origin_nm: tuple[float, float, float]
    axes: str
    statistics: VoxelStatistics
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold; numbers that are not finite become ``None``."""
        content = dataclasses.asdict(self)
        # JSON has no NaN and no infinity.
        content["statistics"] = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in content["statistics"].items()
        }
        return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}

    def to_text(self) -> str:
        """Return a few lines to read, without a line break at the end."""
        statistics = self.statistics
        lines = [
            ("volume", f"{self.name} ({self.format})" if self.format else self.name),
            ("shape", f"{_by(self.shape)} (z, y, x)"),
            ("dtype", f"{self.dtype}, {self.num_bytes:,} bytes"),
            ("voxel size", f"{_by(self.voxel_size_nm)} nm (z, y, x)" if self.voxel_size_nm else "unknown"),
            ("origin", f"{_by(self.origin_nm)} nm (z, y, x)"),
            ("axes", f"{self.axes} in the file"),
            ("range", f"{statistics.minimum:g} to {statistics.maximum:g}"),
            ("mean", f"{statistics.mean:g}, standard deviation {statistics.std:g}"),
        ]
        if statistics.first_not_finite is not None:
            bad = f"{statistics.num_nan:,} NaN and {statistics.num_infinite:,} infinite voxels"
            lines.append(("warning", f"{bad}, the first in slice {statistics.first_not_finite}"))
        lines += [("warning", warning) for warning in self.warnings]
        return "\n".join(f"{label:<12}{text}" for label, text in lines)


def describe(volume: Volume, *, progress: Callable[[int, int], None] | None = None) -> Description:
    """Describe a volume, reading every voxel, one slice at a time.

    Args:
        volume: The volume.
        progress: Called as ``progress(done, total)`` with the number of slices.

    Returns:
        The description; its range is exact and leaves NaN and infinite voxels out.
    """
    return Description(
        name=volume.name,
        format=volume.format,
        shape=volume.shape,
        dtype=volume.dtype.name,
        num_bytes=volume.nbytes,
        voxel_size_nm=volume.voxel_size_nm,
        origin_nm=volume.origin_nm,
        axes=volume.file_axes,
        statistics=voxel_statistics(volume.array, progress=progress),
        warnings=volume.warnings,
    )


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:g}" if isinstance(number, float) else str(number) for number in numbers)
