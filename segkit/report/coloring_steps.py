"""How a slice got its colours, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.report.overlay import SHOWN_PX, Overlay, Panel, as_rgb, shrunk, stretch_contrast


def coloring_steps(stack: Any, z: int, coloring: Pseudocoloring) -> Overlay:
    """Draw both neighbours of a slice on their way to rough masks, the slice, and its colours.

    Args:
        stack: Grey values, ``(z, y, x)``.
        z: The slice.
        coloring: How it is coloured.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Fig. 4.
    """
    rows = []
    for side, color in ((z - 1, "red"), (z + 1, "blue")):
        if not 0 <= side < stack.shape[0]:
            continue
        neighbour = np.asarray(stack[side])
        steps = coloring.steps(neighbour) if neighbour.min() < neighbour.max() else {}
        pictures = {f"Slice {side}": stretch_contrast(neighbour)}
        pictures |= {f"{side}: {name}": np.uint8(255 * values) for name, values in steps.items()}
        if "mask" in steps:
            pictures[f"{side}: rough mask, to be {color}"] = pictures.pop(f"{side}: mask")
        rows.append(tuple(_panel(title, as_rgb(picture)) for title, picture in pictures.items()))
    (colored,) = coloring.color(stack, [z])
    current = as_rgb(stretch_contrast(np.asarray(stack[z])))
    rows.append((_panel(f"Slice {z}", current), _panel(f"Slice {z}, coloured", np.uint8(np.rint(255 * colored)))))
    return Overlay(f"Pseudocolouring of slice z = {z}", tuple(rows), legend=())


def _panel(title: str, picture: np.ndarray) -> Panel:
    # Small pictures are enlarged by whole factors, so that their pixels stay sharp.
    factor = max(1, SHOWN_PX // 2 // max(picture.shape))
    return Panel(title, shrunk(picture.repeat(factor, 0).repeat(factor, 1)))
