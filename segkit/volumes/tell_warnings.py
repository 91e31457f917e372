"""What reading a file left open, told where the file is used."""

from __future__ import annotations

import logging

from segkit.volumes.volume import Volume

_log = logging.getLogger(__name__)

UNKNOWN_SIZE = "voxel size unknown"
"""Beginning of the line about a voxel size that is not in the file."""


def tell_warnings(volume: Volume, *, of_voxel_size: bool = False) -> None:
    """Log what a user should know about the file of a volume, such as bytes that may be unsigned.

    Args:
        volume: The volume.
        of_voxel_size: Tell of an unknown voxel size too, which matters to some uses alone.
    """
    for line in volume.warnings:
        if of_voxel_size or not line.startswith(UNKNOWN_SIZE):
            _log.warning("warning: %s: %s", volume.name, line)
