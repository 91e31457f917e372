"""Real data that comes with segkit."""

from __future__ import annotations

import importlib.resources
import pathlib


def sample_path(name: str) -> pathlib.Path:
    """Find a file of the packaged real samples.

    Args:
        name: Folder and file, such as ``"tardis_microtubules/tomogram.tif"`` or
            ``"tardis_microtubules/mask.tif"``; the source and licence are next to them.

    Returns:
        Path of the file, or of the folder where only that is named.

    Raises:
        ValueError: If there is no such sample.
    """
    samples = pathlib.Path(str(importlib.resources.files("segkit.data"))) / "samples"
    path = samples / name
    if not path.exists():
        known = sorted(str(file.relative_to(samples)) for file in samples.glob("*/*.tif"))
        raise ValueError(f"`name` must be one of {', '.join(known)}. Received: name={name!r}")
    return path
