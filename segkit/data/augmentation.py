"""Random changes of a patch that leave its meaning alone, drawn in NumPy so that they can be drawn again."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What may be changed, and how far.

    Attributes:
        flips: Mirror in y and in x, each with probability one half.
        turns: Turn by a multiple of 90 degrees.
        brightness: Largest shift of the grey values [standard deviations of the training slices].
        contrast: Largest relative change of the contrast, below 1.
        elastic_px: Standard deviation of a smooth random displacement [px]; 0 for none.
        elastic_grid_px: Distance between independent displacements [px].
    """

    flips: bool = True
    turns: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    elastic_px: float = 0.0
    elastic_grid_px: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.contrast < 1:
            raise ValueError(f"`contrast` must be in [0, 1). Received: contrast={self.contrast!r}")
        if self.brightness < 0 or self.elastic_px < 0 or self.elastic_grid_px < 1:
            raise ValueError(f"`brightness` and `elastic_px` must not be negative. Received: {self!r}")

    def draw(self, rng: np.random.Generator, patch_px: int) -> Change:
        """Draw one change; the generator always advances alike for the same settings."""
        flip_y, flip_x, turns = rng.integers([2, 2, 4]).tolist()
        shift, stretch = rng.uniform(-1, 1, 2)
        displacement = None
        if self.elastic_px:
            nodes = patch_px // self.elastic_grid_px + 3
            displacement = rng.normal(0, self.elastic_px, (2, nodes, nodes)).astype(np.float32)
        return Change(
            flip_y=bool(flip_y and self.flips),
            flip_x=bool(flip_x and self.flips),
            turns=turns if self.turns else 0,
            gain=float(1 + self.contrast * stretch),
            shift=float(self.brightness * shift),
            displacement_px=displacement,
        )


NO_AUGMENTATION = Augmentation(flips=False, turns=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """One drawn change: a move of image and mask together, and ``gain * image + shift`` of the normalised image."""

    flip_y: bool
    flip_x: bool
    turns: int
    gain: float
    shift: float
    displacement_px: np.ndarray | None = None

    def turn(self, patch: np.ndarray) -> np.ndarray:
        """Return a mirrored and turned view of a square patch, shape ``(y, x)`` or with channels."""
        patch = patch[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.rot90(patch, self.turns) if self.turns else patch

    def bend(self, patch: np.ndarray, *, nearest: bool) -> np.ndarray:
        """Return the patch displaced elastically: the nearest value for masks, linear between pixels for images."""
        if self.displacement_px is None:
            return patch
        import cv2  # here: loading it takes longer than everything else that data needs

        height, width = patch.shape[:2]
        dy, dx = (cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC) for nodes in self.displacement_px)
        rows, columns = np.indices((height, width), dtype=np.float32)
        place, border = (columns + dx, rows + dy), cv2.BORDER_REFLECT_101
        if nearest:  # moved as indices, as OpenCV takes no labels of 32 bits
            index = np.arange(height * width, dtype=np.float64).reshape(height, width)
            taken = cv2.remap(index, *place, cv2.INTER_NEAREST, borderMode=border).astype(np.intp)
            return patch.reshape(height * width, *patch.shape[2:])[taken]
        return cv2.remap(np.ascontiguousarray(patch), *place, cv2.INTER_LINEAR, borderMode=border)
