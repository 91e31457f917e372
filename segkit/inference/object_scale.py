"""The size of voxels in the units of the settings by which objects are separated."""

from __future__ import annotations

import dataclasses
import logging
import math

from segkit.models.card import ModelCard
from segkit.tasks.task import Task
from segkit.volumes.volume import Volume

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ObjectScale:
    """What distances and sizes of objects are measured in.

    Attributes:
        voxel_size: Extent of a voxel of the volume along ``(z, y, x)``, in pixels (x) of the data that the settings
            are meant for.
        voxel_volume: Its volume, in voxels of that data.
    """

    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)
    voxel_volume: float = 1.0


def object_scale(volume: Volume, card: ModelCard, *, rescale: bool) -> ObjectScale:
    """Return the scale of the objects of a volume.

    Settings of objects are in pixels and voxels. These are the training data's where slices are rescaled to it, and the
    volume's own otherwise. A volume of unknown voxel size is taken to have the model's.

    Args:
        volume: The input.
        card: The model's card.
        rescale: Slices are resampled to the voxel size of the training data; both sizes must be known.
    """
    found, expected = volume.voxel_size_nm, card.voxel_size_nm
    has_objects = type(card.task).finish is not Task.finish  # that of masks and classes has no use for a scale
    if has_objects and found is None and expected is not None and len({*expected}) > 1:
        _log.info(
            "%s: its voxel size is unknown; objects are separated as if it were the model's, %s nm (z, y, x)",
            volume.name,
            " x ".join(f"{size:.4g}" for size in expected),
        )
    size = found or expected or (1.0, 1.0, 1.0)
    if not (rescale and expected):
        return ObjectScale(tuple(extent / size[2] for extent in size), 1.0)
    return ObjectScale(tuple(extent / expected[2] for extent in size), math.prod(size) / math.prod(expected))
