"""Comparison of the voxel size of a volume with the one a model was trained at."""

from __future__ import annotations

import logging
from collections.abc import Sequence

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

    Args:
        volume: The input.
        card: The model's card.
        rescale: Correct for the difference; otherwise it is borne, and ``tell_voxel_size`` warns of it.

    Returns:
        Factors along y and x; 1 unless ``rescale``.

    Raises:
        InputError: If ``rescale`` is asked for and a voxel size is unknown.
    """
    if not rescale:
        return 1.0, 1.0
    if unknown := _unknown_size(volume, card):
        remedy = "give it with --voxel-size, or leave out --rescale" if card.voxel_size_nm else "leave out --rescale"
        raise InputError(f"{unknown} is unknown, but needed to rescale; {remedy}")
    (_, *found), (_, *expected) = volume.voxel_size_nm, card.voxel_size_nm
    return found[0] / expected[0], found[1] / expected[1]


def tell_voxel_size(volume: Volume, cards: Sequence[ModelCard], *, rescale: bool, takes_volumes: bool) -> None:
    """Warn if voxel sizes differ by more than 10 % along an axis that matters, or one is unknown; each line once.

    Args:
        volume: The input.
        cards: Cards of the models.
        rescale: Differences in y and x are corrected.
        takes_volumes: The models take volumes, and not slices.
    """
    found = [_other_size(volume, card, rescale=rescale, takes_volumes=takes_volumes) for card in cards]
    for line in dict.fromkeys(filter(None, found)):
        _log.warning("warning: %s", line)


def _other_size(volume: Volume, card: ModelCard, *, rescale: bool, takes_volumes: bool) -> str | None:
    if unknown := _unknown_size(volume, card):
        return f"{unknown} is unknown; the result is valid only if volume and model have the same voxel size"
    if takes_volumes:
        axes, remedy = "zyx", "resample the volume first"
    elif rescale:
        axes, remedy = "z" if card.preprocessing.scale_axes == "zyx" else "", "resample the volume along z first"
    else:
        axes, remedy = card.preprocessing.scale_axes, "--rescale corrects the difference in y and x"
    found, expected = (
        [size for size, axis in zip(sizes, "zyx", strict=True) if axis in axes]
        for sizes in (volume.voxel_size_nm, card.voxel_size_nm)
    )
    if all(abs(size / wanted - 1) <= TOLERANCE for size, wanted in zip(found, expected, strict=True)):
        return None
    sizes = [" x ".join(f"{size:.4g}" for size in given) for given in (found, expected)]
    return (
        f"{volume.name}: voxel size {sizes[0]} nm ({', '.join(axes)}), but {card.name} was trained at {sizes[1]} nm; "
        f"the result may be poor; {remedy}"
    )


def _unknown_size(volume: Volume, card: ModelCard) -> str | None:
    """Return whose voxel size is unknown; ``None`` where both are known."""
    if volume.voxel_size_nm is None:
        return f"{volume.name}: the voxel size"
    return f"{card.name}: the model's voxel size" if card.voxel_size_nm is None else None


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
