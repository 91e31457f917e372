"""Comparison of the voxel size of a volume with the one a model was trained at."""

from __future__ import annotations

import logging
import warnings

import keras
import numpy as np

from segkit.errors import InputError
from segkit.models.card import ModelCard
from segkit.volumes.volume import Volume

TOLERANCE = 0.1
"""Relative difference of voxel sizes that a network is expected to bear."""

_log = logging.getLogger(__name__)


def scale_yx(volume: Volume, card: ModelCard, *, rescale: bool) -> tuple[float, float]:
    """Compare voxel sizes in y and x, and return the factors by which slices are to be enlarged.

    Warns if they differ by more than 10 % and are not corrected; says so in the log if one is unknown.

    Args:
        volume: The input.
        card: The model's card.
        rescale: Correct for the difference.

    Returns:
        Factors along y and x; 1 unless ``rescale``.

    Raises:
        InputError: If ``rescale`` is asked for and a voxel size is unknown.
    """
    found, expected = volume.voxel_size_nm, card.voxel_size_nm
    if found is None or expected is None:
        unknown = f"{volume.name}: its voxel size" if found is None else f"{card.name}: the model's voxel size"
        if rescale:
            raise InputError(f"{unknown} is unknown, rescaling needs it; leave out --rescale")
        _log.warning("%s is unknown and cannot be compared; the result is only valid if the two agree", unknown)
        return 1.0, 1.0
    factors = found[1] / expected[1], found[2] / expected[2]
    if rescale:
        return factors
    if any(abs(factor - 1) > TOLERANCE for factor in factors):
        warnings.warn(
            f"{volume.name}: voxel size {found[1]:.4g} x {found[2]:.4g} nm (y, x), but {card.name} was "
            f"trained at {expected[1]:.4g} x {expected[2]:.4g} nm; the result may be poor; --rescale corrects the "
            "difference",
            stacklevel=2,
        )
    return 1.0, 1.0


def resampled(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resample an image linearly to another number of pixels over the same field, without aliasing.

    Where pixels become larger, each is a mean over a triangle as wide as two of the new pixels.

    Args:
        image: Grey values or probabilities, shape (y, x).
        shape: Wanted shape (y, x).

    Returns:
        Array of ``shape``, float32; ``image`` as float32 if it has that shape.
    """
    image = np.asarray(image, np.float32)
    if image.shape == tuple(shape):
        return image
    # (y, x) -> (y, x, 1), as images of Keras have channels.
    resized = keras.ops.image.resize(
        image[..., None], shape, interpolation="bilinear", antialias=True, data_format="channels_last"
    )
    return keras.ops.convert_to_numpy(resized)[..., 0]
