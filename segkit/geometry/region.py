"""A box of voxels inside a volume."""

from __future__ import annotations

import dataclasses
import re

from segkit.errors import InputError

_SPAN = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*")


@dataclasses.dataclass(frozen=True)
class Region:
    """A box of voxels: along each axis from a first voxel up to, and without, a last one.

    Args:
        z: ``(start, stop)`` along z; ``None`` in place of ``stop`` means up to the end.
        y: The same along y.
        x: The same along x.

    Raises:
        InputError: If a start is negative or not below its stop.
    """

    z: tuple[int, int | None] = (0, None)
    y: tuple[int, int | None] = (0, None)
    x: tuple[int, int | None] = (0, None)

    def __post_init__(self) -> None:
        """Refuse a box without voxels."""
        for axis in "zyx":
            start, stop = getattr(self, axis)
            if start < 0 or (stop is not None and stop <= start):
                raise InputError(f"region {self} holds no voxel along {axis}; give 0 <= start < stop")

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``z0:z1,y0:y1,x0:x1``; a bound left out is the volume's own.

        Raises:
            InputError: If the text has another form.

        Example:
            >>> Region.parse("3:5,:,100:")
            Region(z=(3, 5), y=(0, None), x=(100, None))
        """
        matches = [_SPAN.fullmatch(span) for span in text.split(",")]
        if len(matches) != 3 or None in matches:
            raise InputError(
                f"region {text!r}: expected three spans of whole numbers z0:z1,y0:y1,x0:x1, such as 10:20,0:512,:"
            )
        # "" is a bound that was left out.
        return cls(*((int(m[1] or 0), int(m[2]) if m[2] else None) for m in matches if m))

    def within(self, shape: tuple[int, int, int]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Return ``((z0, z1), (y0, y1), (x0, x1))`` inside a volume.

        Args:
            shape: Extent of the volume along (z, y, x).

        Raises:
            InputError: If the box reaches beyond the volume.
        """
        spans = []
        for axis, size in zip("zyx", shape, strict=True):
            start, stop = getattr(self, axis)
            stop = size if stop is None else stop
            if stop > size or start >= size:
                raise InputError(
                    f"region {self} reaches beyond the volume of {' x '.join(map(str, shape))} voxels "
                    f"(z, y, x) along {axis}; stay within 0:{size}"
                )
            spans.append((start, stop))
        return tuple(spans)

    def __str__(self) -> str:
        whole = (0, None)
        return ",".join(
            ":" if (start, stop) == whole else f"{start}:{'' if stop is None else stop}"
            for start, stop in (self.z, self.y, self.x)
        )
