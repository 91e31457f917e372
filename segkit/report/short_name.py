"""Names of volumes as pages and captions tell them apart."""

from __future__ import annotations

import pathlib

from segkit.volumes.volume import Volume


def short_name(volume: Volume) -> str:
    """Return the name of a file with its folder's: sequences hold files of the same names."""
    return "/".join(pathlib.Path(volume.name).parts[-2:])
