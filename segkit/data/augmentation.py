"""Random changes of a patch that preserve its meaning, drawn in NumPy so that they can be repeated."""

from __future__ import annotations

import dataclasses
import itertools
import math
import numbers
from collections.abc import Sequence

import numpy as np

_AGREEMENT = 0.01  # voxel sizes that differ by less than 1 % are equal: files round them


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What may be changed, and how far.

    Attributes:
        flips: Mirror along every axis, each with probability one half.
        turns: Turn by a multiple of 90 degrees, in planes whose two axes have the same voxel size and extent.
        brightness: Largest shift of the grey values [standard deviations of the training slices].
        contrast: Largest relative change of the contrast, below 1.
        elastic_px: Standard deviation of a smooth random displacement [px of the last axis]; 0 for none.
        elastic_grid_px: Distance between independent displacements [px of the last axis].

    Raises:
        ValueError: If a value is out of its range.
    """

    flips: bool = True
    turns: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    elastic_px: float = 0.0
    elastic_grid_px: int = 64

    def __post_init__(self) -> None:
        for name in ("flips", "turns"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
        if not (_is_number(self.contrast) and 0 <= self.contrast < 1):
            raise ValueError(f"`contrast` must be in [0, 1). Received: contrast={self.contrast!r}")
        for name in ("brightness", "elastic_px"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < math.inf):
                raise ValueError(f"`{name}` must be finite and not negative. Received: {name}={value!r}")
        grid = self.elastic_grid_px
        if not (_is_number(grid) and isinstance(grid, numbers.Integral) and grid >= 1):
            raise ValueError(
                f"`elastic_grid_px` must be a positive whole number [px]. Received: elastic_grid_px={grid!r}"
            )

    def draw(
        self, rng: np.random.Generator, patch_shape: Sequence[int], voxel_size: Sequence[float] | None = None
    ) -> Change:
        """Draw one change; the generator always advances alike for the same settings and shape.

        Args:
            rng: Source of the numbers.
            patch_shape: Extent of the patch along each spatial axis [px], two axes or more.
            voxel_size: Extent of a voxel along each axis, in any unit; by default the same along all. Where an axis is
                coarser than the last, displacements along it are fewer pixels, for the same length.

        Raises:
            ValueError: If there are fewer than two axes, or not one voxel size per axis.
        """
        axes = len(patch_shape)
        sizes = (1.0,) * axes if voxel_size is None else tuple(voxel_size)
        if axes < 2 or len(sizes) != axes:
            raise ValueError(
                f"`patch_shape` must have two axes or more, and `voxel_size` as many. Received: "
                f"patch_shape={tuple(patch_shape)!r}, voxel_size={voxel_size!r}"
            )
        # The last two axes come first, so that the numbers drawn for patches of slices never depend on the others.
        *last_flips, last_turns = rng.integers([2, 2, 4]).tolist()
        shift, stretch = rng.uniform(-1, 1, 2)
        flips = [*rng.integers(2, size=axes - 2).tolist(), *last_flips]
        *other_planes, last_plane = itertools.combinations(range(axes), 2)
        turns = {last_plane: last_turns}
        if other_planes:
            turns |= zip(other_planes, rng.integers(4, size=len(other_planes)).tolist(), strict=True)
        displacement = None
        if self.elastic_px:
            # At equal physical distances: an axis of coarser voxels is longer, and has more nodes.
            nodes = [
                int(extent * size / sizes[-1]) // self.elastic_grid_px + 3
                for extent, size in zip(patch_shape, sizes, strict=True)
            ]
            displacement = rng.normal(0, self.elastic_px, (axes, *nodes)).astype(np.float32)
            for along, size in zip(displacement, sizes, strict=True):
                # From pixels of the last axis to pixels of this one.
                along *= np.float32(sizes[-1] / size)
        return Change(
            flips=tuple(bool(flip and self.flips) for flip in flips),
            turns=tuple(
                (*plane, times)
                for plane, times in turns.items()
                if self.turns and times and _is_square(plane, patch_shape, sizes)
            ),
            gain=float(1 + self.contrast * stretch),
            shift=float(self.brightness * shift),
            displacement_px=displacement,
        )


NO_AUGMENTATION = Augmentation(flips=False, turns=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """One drawn change: a move of image and annotation together, and ``gain * image + shift`` of the normalised image.

    Attributes:
        flips: Whether each spatial axis is mirrored.
        turns: ``(first axis, second axis, quarter turns)``, in the order in which they are made.
        gain: Factor of the normalised image.
        shift: Summand of the normalised image.
        displacement_px: Displacements along each axis at the nodes of a grid [px], ``(axes, *nodes)``, or ``None``.
    """

    flips: tuple[bool, ...]
    turns: tuple[tuple[int, int, int], ...]
    gain: float
    shift: float
    displacement_px: np.ndarray | None = None

    def turn(self, patch: np.ndarray) -> np.ndarray:
        """Return a mirrored and turned view of a patch.

        Args:
            patch: Any dtype, the spatial axes first; further axes, such as channels, are left alone.
        """
        # A view; the axes of channels behind are taken whole.
        patch = patch[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]
        for first, second, times in self.turns:
            patch = np.rot90(patch, times, (first, second))
        return patch

    def bend(self, patch: np.ndarray, *, nearest: bool) -> np.ndarray:
        """Return the patch displaced elastically; beyond the border it is mirrored.

        Args:
            patch: The spatial axes first; further axes, such as channels, are left alone.
            nearest: Take the nearest value, for masks and ids: dtype and values stay exactly. Otherwise interpolate
                linearly between pixels, for images; all but float64 becomes float32.
        """
        if self.displacement_px is None:
            return patch
        if not nearest and patch.dtype not in (np.float32, np.float64):
            patch = patch.astype(np.float32)
        if len(self.flips) == 2:
            return self._bend_image(patch, nearest)
        from scipy.ndimage import map_coordinates, zoom  # here: runs that bend nothing start sooner

        extents = patch.shape[: len(self.flips)]
        # Sampling positions (axes, z, y, x), displaced along each axis by its interpolated nodes.
        places = np.indices(extents, dtype=np.float32)
        for along, nodes in zip(places, self.displacement_px, strict=True):
            factors = [extent / count for extent, count in zip(extents, nodes.shape, strict=True)]
            along += zoom(nodes, factors, order=3, mode="mirror", grid_mode=True)
        if nearest:
            # Flat indices are moved in place of values, so one pass serves any type and any number of channels.
            numbers = np.arange(math.prod(extents)).reshape(extents)
            chosen = map_coordinates(numbers, places, order=0, mode="mirror", output=np.intp)
            return patch.reshape(-1, *patch.shape[len(extents) :])[chosen]
        # (z, y, x, ...) -> (channels, z, y, x)
        channels = np.moveaxis(patch.reshape(*extents, -1), -1, 0)
        bent = [map_coordinates(each, places, order=1, mode="mirror", output=patch.dtype) for each in channels]
        return np.stack(bent, axis=-1).reshape(patch.shape)

    def _bend_image(self, patch: np.ndarray, nearest: bool) -> np.ndarray:
        """Bend an image with OpenCV, which is several times faster than SciPy but takes two axes only."""
        import cv2  # here: loading it takes longer than everything else that data needs

        height, width = patch.shape[:2]
        dy, dx = (cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC) for nodes in self.displacement_px)
        rows, columns = np.indices((height, width), dtype=np.float32)
        # OpenCV takes x before y.
        place, border = (columns + dx, rows + dy), cv2.BORDER_REFLECT_101
        if nearest:  # moved as indices, as OpenCV takes no labels of 32 bits
            index = np.arange(height * width, dtype=np.float64).reshape(height, width)
            taken = cv2.remap(index, *place, cv2.INTER_NEAREST, borderMode=border).astype(np.intp)
            return patch.reshape(height * width, *patch.shape[2:])[taken]
        bent = cv2.remap(np.ascontiguousarray(patch), *place, cv2.INTER_LINEAR, borderMode=border)
        return bent.reshape(patch.shape)  # OpenCV drops an axis of one channel


def _is_square(plane: tuple[int, int], patch_shape: Sequence[int], voxel_size: Sequence[float]) -> bool:
    """Return whether a quarter turn in a plane keeps the shape of the patch and the lengths in it."""
    first, second = plane
    alike = math.isclose(voxel_size[first], voxel_size[second], rel_tol=_AGREEMENT)
    return patch_shape[first] == patch_shape[second] and alike
