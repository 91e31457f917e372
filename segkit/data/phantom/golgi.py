"""Golgi bodies: stacks of curved cisternae with swollen rims, vesicles around."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from segkit.data.phantom.canvas import MARGIN, Canvas, Window
from segkit.data.phantom.placement import Inside, find_room, random_center, slabs_around
from segkit.data.phantom.shapes import (
    coverage,
    draw_blob,
    frame_about,
    local_coordinates,
    membrane,
    tilted_axis,
)
from segkit.data.phantom.vesicles import paint_vesicle

HALF_THICKNESS_NM = 16.0
SWELLING_NM = 12.0
CLEARANCE_NM = 25.0


@dataclasses.dataclass(frozen=True)
class Stack:
    """Flattened, bent discs one upon the other.

    Args:
        center_zyx: Centre in nm.
        frame: Orthonormal rows: two in the discs' plane, the third along the stack.
        radii_nm: Radius of each disc.
        levels_nm: Height of each disc in the stack.
        bend_nm: How far a disc of the largest radius is bent up at its rim.
        ratio: Width of the discs in their second direction, relative to the first.
        phases: Phase of each disc's unevenness.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    radii_nm: np.ndarray
    levels_nm: np.ndarray
    bend_nm: float
    ratio: float
    phases: np.ndarray

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere that holds the stack."""
        rim = self.radii_nm.max() + SWELLING_NM + HALF_THICKNESS_NM
        return float(np.hypot(rim, np.abs(self.levels_nm).max() * 1.35 + abs(self.bend_nm) + 30))

    def cisternae(self, window: Window) -> list[np.ndarray]:
        """Distance to each cisterna, in nm."""
        u, v, w = local_coordinates(window, self.center_zyx, self.frame)
        across = np.hypot(u, v / np.float32(self.ratio))
        # Discs are bowls: their height grows with the square of the distance from the middle.
        rise = (across / np.float32(self.radii_nm.max())) ** 2
        w = w - np.float32(self.bend_nm) * (rise - np.float32(0.4))
        found = []
        for radius, level, phase in zip(
            *(np.float32(a) for a in (self.radii_nm, self.levels_nm, self.phases)), strict=True
        ):
            height = w - level * (1 + 0.3 * rise) - 5 * np.sin(u / 70 + phase) * np.sin(v / 90 - phase)
            # Swollen at the rim.
            thickness = HALF_THICKNESS_NM + SWELLING_NM * np.exp(-(((across - radius) / 45) ** 2))
            found.append(np.hypot(np.maximum(across - radius, 0), height) - thickness.astype(np.float32))
        return found

    def body(self, cisternae: list[np.ndarray]) -> np.ndarray:
        """Distance to the stack: the cisternae together with the narrow gaps between neighbours."""
        gap = float(np.diff(self.levels_nm).mean()) * 1.3 - 2 * HALF_THICKNESS_NM
        # Within `gap` of both neighbours, that is between them.
        between = [np.maximum(a, b) - np.float32(gap) for a, b in itertools.pairwise(cisternae)]
        return np.minimum.reduce([*cisternae, *between])

    def distance(self, window: Window) -> np.ndarray:
        """Distance to the stack, in nm."""
        return self.body(self.cisternae(window))


def draw_stack(rng: np.random.Generator, center_zyx: np.ndarray, largest_nm: float) -> Stack:
    """Draw a stack of 4 to 7 cisternae of about ``largest_nm`` radius, steep on the slice plane."""
    count = int(rng.integers(4, 8))
    levels = (np.arange(count) - (count - 1) / 2) * rng.uniform(41, 46)
    normal, first, second = frame_about(tilted_axis(rng, 35.0), rng)
    return Stack(
        np.asarray(center_zyx),
        np.stack([first, second, normal]),
        largest_nm * rng.uniform(0.72, 1.0, count),
        levels,
        rng.uniform(0.12, 0.4) * largest_nm,
        rng.uniform(0.75, 1.0),
        rng.uniform(0, 2 * np.pi, count),
    )


def place_golgi(canvas: Canvas, rng: np.random.Generator, count: int, code: int, inside: Inside) -> int:
    """Place up to ``count`` stacks, narrow ones where the field is small; returns how many found room."""
    largest = float(np.clip(0.22 * canvas.field_nm, 160.0, 480.0))
    placed = 0
    for _ in range(count):

        def propose() -> Stack:
            radius = rng.uniform(0.72, 1.0) * largest
            return draw_stack(rng, random_center(canvas, rng, 0.45 * radius), radius)

        stack = find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=200, inside=inside)
        if stack is not None:
            paint_golgi(canvas, rng, stack, code)
            placed += 1
    return placed


def paint_golgi(canvas: Canvas, rng: np.random.Generator, stack: Stack, code: int) -> None:
    """Paint the cisternae, claim the stack, and scatter vesicles about its rims."""
    edge = canvas.edge_nm
    for window, body in slabs_around(canvas, stack, CLEARANCE_NM):
        canvas.paint(window, coverage(body, edge), 0.52)
        for distance in stack.cisternae(window):
            canvas.paint(window, coverage(distance, edge), 0.22)
            canvas.paint(window, membrane(distance, edge), 0.85)
        canvas.claim(window, body <= 0, code, body <= CLEARANCE_NM)

    for _ in range(int(rng.integers(25, 50))):
        turn, reach = rng.uniform(0, 2 * np.pi), stack.radii_nm.max() * rng.uniform(0.7, 1.25)
        side = np.array([np.cos(turn) * reach, np.sin(turn) * reach * stack.ratio, 0.0])
        # On the bent sheet, and some way above or below it.
        side[2] = stack.bend_nm * ((reach / stack.radii_nm.max()) ** 2 - 0.4) + rng.uniform(-170, 170)
        vesicle = draw_blob(rng, stack.center_zyx + side @ stack.frame, rng.uniform(24, 38), stretch=1.05)
        paint_vesicle(canvas, vesicle, 0.26, may_enter=MARGIN)
