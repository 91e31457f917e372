"""The slices of a volume, checked, at the scale of a model, ready to be cut into tiles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from segkit.geometry.tiles import Span, clamped
from segkit.inference.voxel_scale import resampled
from segkit.preprocessing.preprocessing import Preprocessing
from segkit.volumes.checks import check_finite_part
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.mapped_file import release_mapped
from segkit.volumes.volume import Volume


class SliceSource:
    """Read the part of each slice that a prediction looks at.

    Args:
        volume: The volume.
        scaled_shape: Shape (y, x) a slice is resampled to; the volume's own leaves it as it is.
        reach: Span of pixels of the scaled slice that is wanted along y and x; may end beyond it, where the
            last pixel is repeated.
        preprocessing: What is done to the slices before a network sees them. Where it resizes slices as wholes, they
            are read whole.
    """

    def __init__(
        self,
        volume: Volume,
        scaled_shape: tuple[int, int],
        reach: tuple[Span, ...],
        preprocessing: Preprocessing,
    ) -> None:
        self._volume = volume
        # Preprocessing that resizes needs whole slices and their neighbours along z, which it reads itself.
        self._whole = None
        if preprocessing.resizes:
            finite = slice_stack(lambda z: read_finite(volume, z), volume.shape, volume.dtype)
            self._whole = preprocessing.open(finite)
        self._scaled_shape = tuple(scaled_shape)
        # Positions along y and x; those beyond the slice are its last pixel.
        self._indices = [clamped(*span, size) for span, size in zip(reach, scaled_shape, strict=True)]

    def read(self, z: int) -> np.ndarray:
        """Return the wanted part of slice ``z``, shape of ``reach``, with several channels these behind.

        It is as the preprocessing reads it, float32 if resampled; ``Preprocessing.finish`` is left to be done.

        Raises:
            InputError: If a voxel of it is not finite.
        """
        rows, columns = self._indices
        if self._whole is not None:
            image = self._whole.read(z)
            if self._is_scaled:
                channels = [resampled(image[..., channel], self._scaled_shape) for channel in range(image.shape[-1])]
                # Back to the type that `Preprocessing.finish` expects.
                image = np.round(np.stack(channels, axis=-1)).astype(image.dtype)
            return image[np.ix_(rows, columns)]
        stored = self._read_stored(z)
        if self._is_scaled:
            return resampled(stored, self._scaled_shape)[np.ix_(rows, columns)]
        # `stored` begins at the first row and column that are wanted.
        return stored[np.ix_(rows - rows[0], columns - columns[0])]

    def check(self, slices: Iterable[int]) -> None:
        """Check everything that is going to be read, so that a fault is found in advance.

        Raises:
            InputError: If a voxel is not finite.
        """
        if self._volume.dtype.kind == "f":
            for z in slices:
                self._read_stored(z)

    @property
    def _is_scaled(self) -> bool:
        return self._scaled_shape != self._volume.shape[1:]

    def _read_stored(self, z: int) -> np.ndarray:
        if self._is_scaled:
            return read_finite(self._volume, z)
        rows, columns = self._indices
        return read_finite(self._volume, z, (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1))


def read_finite(volume: Volume, z: int, rows: Span | None = None, columns: Span | None = None) -> np.ndarray:
    """Read a slice or a part of it, as a copy, and see that every voxel is a number.

    Args:
        volume: The volume.
        z: Index of the slice.
        rows: Span along y; all by default.
        columns: Span along x; all by default.

    Raises:
        InputError: If a voxel is NaN or infinite.
    """
    part = np.array(volume.array[z, slice(*(rows or (None,))), slice(*(columns or (None,)))])
    release_mapped(volume.array)
    check_finite_part(volume, part, z)
    return part
