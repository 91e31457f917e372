"""Whether a mask has the same orientation as its tomogram.

IMOD and Fiji draw row 0 of an MRC file at the bottom and that of a TIFF file at the top, and so reverse the rows when
they convert one into the other. A mask that went through one conversion more than its tomogram is upside down relative
to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from segkit.volumes.volume import Volume

# Borders of objects are edges of the image, membranes drawn along their middle are lines; annotations follow
# either within a few pixels, which is what the image is smoothed over [px].
_EDGE_SIGMA_PX, _LINE_SIGMA_PX = 3.0, 2.0
# The peak at the right place may be missed by this much [px].
_PEAK_PX = 2
# Displacements from here to there are what a peak is compared with [px].
_INNER_PX, _OUTER_PX = 12, 48
_SMALLEST_OUTER_PX = 24
# Pixels to use where the number of slices is not given; about five seconds.
_PIXELS = 8 * 2**20

# Outlines of membranes, mitochondria and synapses of a real tissue volume, 8 slices each, were laid on it in
# all six wrong orientations at every displacement, 19 million placements: their scores have mean 0.65, standard
# deviation 0.8 and maximum 5.7. A score of 5 with a gap of 4 to another placement came up once in a million.
_LEAST_SCORE = 5.0
_LEAST_GAP = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrientationScore:
    """How sharply the outline of a mask locks to the image, unchanged and in other orientations.

    Args:
        as_is: Score of the unchanged mask [standard deviations]; about 0 to 2 where it does not fit.
        flipped: Score of the mask with its rows reversed.
        slices: The slices that were used; empty where the images are too small to decide.
        transposed: Score of the mask with x and y exchanged; 0 where slices are not square.
        reversed_z: Score of the mask with its slices in reverse order; 0 for a single slice.
        is_flipped: The rows of the mask were reversed when it was opened, by ``--flip-y``.
        flipped_x: Score of the mask with its columns reversed.
        turned: Score of the mask with its rows and its columns reversed, turned by 180 degrees.
    """

    as_is: float
    flipped: float
    slices: tuple[int, ...]
    transposed: float = 0.0
    reversed_z: float = 0.0
    is_flipped: bool = False
    flipped_x: float = 0.0
    turned: float = 0.0

    def fits_better(self, score: float) -> bool:
        """Whether a mask with another score fits clearly: a score of 5 and more, and 4 above that of the unchanged."""
        return score >= _LEAST_SCORE and score - self.as_is >= _LEAST_GAP

    @property
    def fits(self) -> bool:
        """Whether the unchanged mask fits clearly, by a score of 5 and more."""
        return self.as_is >= _LEAST_SCORE

    @property
    def warning(self) -> str | None:
        """One line for the user where the mask fits clearly in another orientation, else ``None``."""
        score, how, remedy = max(
            (self.flipped, "rows (y) flipped", "leave out --flip-y" if self.is_flipped else "use --flip-y"),
            (self.flipped_x, "columns (x) flipped", "write it again with x reversed"),
            (self.turned, "rows and columns flipped (turned by 180 degrees)", "write it again with y and x reversed"),
            (self.transposed, "x and y exchanged", "write it again with its axes in the order of the tomogram's"),
            (self.reversed_z, "slices (z) in reverse order", "write it again with its slices in reverse order"),
        )
        if not self.fits_better(score):
            return None
        return (
            f"the mask fits the image clearly better with its {how}: {score:.1f} against "
            f"{self.as_is:.1f} standard deviations in {len(self.slices)} slices; check it, and {remedy}"
        )


def mask_orientation(
    tomogram: Volume,
    mask: Volume,
    *,
    num_slices: int | None = None,
    others: bool = True,
    is_flipped: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> OrientationScore:
    """Measure whether a mask fits its tomogram better with y, x or both flipped, x and y exchanged, or z reversed.

    The strength of edges (first derivatives) and of lines (second derivatives) of the image, as ranks so that no
    gold bead outweighs the rest, is summed over the outline of the mask, for every small displacement of the
    outline at once, and added up over the slices. A mask that belongs there gives a peak at no displacement.
    Its score is the height of that peak above the mean of the displacements of 12 to 48 pixels, in their
    standard deviations, for edges or lines, whichever is higher. Comparing a place only with its surroundings
    makes the score blind to where in the image there is texture at all.

    All orientations are compared with the same slices of the tomogram: of the mask in reverse order only slices count
    that have foreground at both ends.

    Args:
        tomogram: Image; only the slices looked at are read.
        mask: Mask of the same shape; everything but 0 is foreground, and labels count as separate objects.
        num_slices: Number of slices with foreground to look at, spread evenly. By default 8 of up to a million
            pixels, fewer of larger ones, at least 2.
        others: Measure the other orientations too; otherwise their scores are 0.
        is_flipped: The rows of the mask were reversed when it was opened, which the warning then names.
        progress: Called as ``progress(done, total)`` with the number of these slices.

    Returns:
        All scores; zeros and no slices where the images are below 72 pixels or nothing has an outline.

    Raises:
        ValueError: If the shapes differ, or ``num_slices`` is not positive.
    """
    if tomogram.shape != mask.shape:
        raise ValueError(f"`mask` must be of the shape {tomogram.shape}. Received: shape={mask.shape}")
    if num_slices is None:
        num_slices = min(8, max(2, _PIXELS // (tomogram.shape[1] * tomogram.shape[2])))
    if num_slices < 1:
        raise ValueError(f"`num_slices` must be positive. Received: num_slices={num_slices}")
    depth, height, width = tomogram.shape
    # At most a third of the image, so that displaced outlines stay mostly on it.
    reach = min(_OUTER_PX, min(height, width) // 3)
    slices = _slices_with_outlines(mask, num_slices) if reach >= _SMALLEST_OUTER_PX else ()
    if not slices:
        return OrientationScore(as_is=0.0, flipped=0.0, slices=(), is_flipped=is_flipped)
    sums: dict[str, np.ndarray] = {}
    for done, z in enumerate(slices):
        # Transform of both features, (2, y, frequency); it serves all orientations.
        features = np.fft.rfft2(_feature_ranks(np.asarray(tomogram.array[z])))
        outline = _outline(np.asarray(mask.array[z]))
        turned = {"as_is": outline}
        if others:
            turned |= {"flipped": outline[::-1], "flipped_x": outline[:, ::-1], "turned": outline[::-1, ::-1]}
        if others and height == width:
            turned["transposed"] = outline.T
        if others and depth > 1:
            turned["reversed_z"] = _outline(np.asarray(mask.array[depth - 1 - z]))
        for name, each in turned.items():
            sums[name] = sums.get(name, 0.0) + _sums_by_displacement(features, each, reach)
        if progress is not None:
            progress(done + 1, len(slices))
    scores = {"flipped": 0.0} | {name: max(map(_peak_score, both)) for name, both in sums.items()}
    return OrientationScore(**scores, slices=slices, is_flipped=is_flipped)


def _slices_with_outlines(mask: Volume, num_slices: int) -> tuple[int, ...]:
    found = []
    for z in range(mask.shape[0]):
        values = np.asarray(mask.array[z])
        # A slice of a single label has no outline.
        if (values != values[0, 0]).any():
            found.append(z)
    spread = np.linspace(0, len(found) - 1, min(num_slices, len(found))).round().astype(int)
    return tuple(found[i] for i in spread)


def _feature_ranks(image: np.ndarray) -> np.ndarray:
    """Rank the strength of edges and of lines of an image (y, x) from -1 to 1; the shape is (2, y, x)."""
    from scipy import ndimage  # takes longer to import than all the rest here

    image = np.nan_to_num(image.astype(np.float32))

    def squared(sigma: float, order_y: int, order_x: int) -> np.ndarray:
        return ndimage.gaussian_filter(image, sigma, order=(order_y, order_x)) ** 2

    edges = squared(_EDGE_SIGMA_PX, 1, 0) + squared(_EDGE_SIGMA_PX, 0, 1)
    sigma = _LINE_SIGMA_PX
    # The squared norm of the Hessian, which does not depend on the direction of a line.
    lines = squared(sigma, 2, 0) + squared(sigma, 0, 2) + 2 * squared(sigma, 1, 1)
    return np.stack([_ranks(edges), _ranks(lines)])


def _ranks(values: np.ndarray) -> np.ndarray:
    ranks = np.empty(values.size, np.float32)
    ranks[np.argsort(values, axis=None, kind="stable")] = np.linspace(-1, 1, values.size, dtype=np.float32)
    return ranks.reshape(values.shape)


def _outline(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels that differ from their neighbour above or to the left."""
    outline = np.zeros(labels.shape, bool)
    outline[1:] |= labels[1:] != labels[:-1]
    outline[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return outline


def _sums_by_displacement(features: np.ndarray, outline: np.ndarray, reach: int) -> np.ndarray:
    """Sum each feature under the outline, moved by every displacement up to ``reach`` in y and x."""
    height, width = outline.shape
    # Cross-correlation by the convolution theorem: all displacements at once. It is periodic, so negative ones are
    # at the end of each axis.
    sums = np.fft.irfft2(features * np.conj(np.fft.rfft2(outline.astype(np.float32))), s=(height, width))
    moves = np.arange(-reach, reach + 1)
    return sums[:, (moves % height)[:, None], moves % width]


def _peak_score(sums: np.ndarray) -> float:
    reach = sums.shape[0] // 2
    moves = np.arange(-reach, reach + 1)
    distance = np.hypot(moves[:, None], moves[None, :])
    around = sums[(distance > _INNER_PX) & (distance <= reach)]
    spread = float(around.std())
    # Without spread there is nothing to compare with.
    return float(sums[distance <= _PEAK_PX].max() - around.mean()) / spread if spread > 0 else 0.0
