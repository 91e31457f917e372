"""Small round membranes that no mask shows."""

from __future__ import annotations

import numpy as np

from segkit.data.phantom.canvas import BODY, FREE, Canvas
from segkit.data.phantom.shapes import Blob, coverage, membrane

GAP_NM = 6.0


def paint_vesicle(canvas: Canvas, vesicle: Blob, lumen: float, may_enter: int = FREE) -> bool:
    """Paint a vesicle with density ``lumen`` inside, if it has room; returns whether it had.

    Args:
        canvas: Where.
        vesicle: The vesicle.
        lumen: Density inside.
        may_enter: Owner code that does not block it, besides free cytoplasm.
    """
    window = canvas.around(vesicle.center_zyx, vesicle.radius_nm + GAP_NM)
    if window is None:
        return False
    distance = vesicle.distance(window)
    owner = canvas.owner[window.index][distance <= GAP_NM]
    if not owner.size or np.any((owner != FREE) & (owner != may_enter)):
        return False
    canvas.paint(window, coverage(distance, canvas.edge_nm), lumen)
    canvas.paint(window, membrane(distance, canvas.edge_nm), 0.88)
    canvas.claim(window, distance <= 0, BODY)
    return True
