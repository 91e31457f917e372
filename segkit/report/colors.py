"""Colours of figures and overlays.

Truth and prediction keep their colours everywhere: what only the truth has is missed, what only the
prediction has is false, and where both agree is a third colour. Under simulated protanopia, deuteranopia and
tritanopia the three stay at least 30 CIELAB units apart.
"""

from __future__ import annotations

TRUTH = "#2f7df6"
PREDICTION = "#e8490c"
AGREEMENT = "#f0e442"

CLASSES = ("#2f7df6", "#e8490c", "#f0e442", "#1b9e77", "#cc79a7", "#8dd3f7", "#8c564b", "#b3de69", "#ffffff", "#6a3d9a")
"""Colours of the classes 1, 2, 3, ... of a label volume; class 0 shows the slice. They are repeated after the last."""


def class_color(label: int) -> str:
    """Return the colour of a class, counted from 1."""
    return CLASSES[(label - 1) % len(CLASSES)]


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0..255, of a colour written ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
