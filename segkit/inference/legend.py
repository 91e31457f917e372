"""What the labels of a label volume mean, and the colours they are drawn in."""

from __future__ import annotations

import colorsys
import json
import os
import pathlib
from collections.abc import Sequence

from segkit.errors import InputError
from segkit.json_object import read_object
from segkit.volumes.whole_output import whole_file

BACKGROUND_COLOR = (0, 0, 0)
PAPER_COLORS = {
    "synapse": (255, 255, 255),
    "microtubules": (255, 0, 0),
    "centriole": (255, 255, 0),
    "granules": (0, 0, 255),
    "golgi": (0, 255, 0),
}
"""Colours of Zhang et al. (2019), SegET, Fig. 4, as (red, green, blue) in 0..255."""

_GOLDEN = 0.618034  # rotating the hue by it keeps any number of hues distinct
_COMPRESSED = {".gz", ".bz2"}


def structure_colors(structures: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return a colour for each structure: the paper's where it has one, others that differ from it and each
    other.

    Args:
        structures: Names; the second of two equal ones gets a colour of its own.

    Returns:
        (red, green, blue) in 0..255.
    """
    colors: list[tuple[int, int, int]] = []
    used = {BACKGROUND_COLOR, *PAPER_COLORS.values()}
    hue = 0.08  # orange first
    for structure in structures:
        color = PAPER_COLORS.get(structure.lower())
        while color is None or color in colors:
            red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue % 1, 0.75, 0.9))
            hue += _GOLDEN
            color = None if (red, green, blue) in used else (red, green, blue)
        colors.append(color)
        used.add(color)
    return colors


def legend_path(output: str | os.PathLike[str]) -> pathlib.Path:
    """Return the path of the legend of a label volume: ``labels.mrc.gz`` has ``labels.legend.json``."""
    path = pathlib.Path(output)
    path = path.with_suffix("") if path.suffix.lower() in _COMPRESSED else path
    return path.with_name(f"{path.stem}.legend.json")


def read_legend(path: str | os.PathLike[str]) -> dict[int, str]:
    """Return the structure of every label, that of 0 too.

    Raises:
        InputError: If the file is not a legend.
    """
    entries = read_object(path, "a legend")
    try:
        return {int(label): entry["structure"] for label, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InputError(f"{path}: not a legend written by segkit predict; remove or correct it") from fault


def write_legend(
    path: str | os.PathLike[str], structures: Sequence[str], *, background: str = "background", overwrite: bool = False
) -> None:
    """Write the structure and the colour of every label as JSON.

    Args:
        path: File to be written, atomically.
        structures: Names; the first is label 1.
        background: Name of label 0.
        overwrite: Replace an existing file.

    Raises:
        InputError: If the file exists and may not be replaced, or cannot be written.
    """
    names = [background, *structures]
    colors = [BACKGROUND_COLOR, *structure_colors(structures)]
    legend = {
        str(label): {"structure": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for label, (name, color) in enumerate(zip(names, colors, strict=True))
    }
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_text(json.dumps(legend, indent=2) + "\n", encoding="utf-8")
