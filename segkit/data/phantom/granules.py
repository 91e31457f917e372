"""Lytic granules: dense cores in a membrane, 300 to 700 nm across."""

from __future__ import annotations

import dataclasses

import numpy as np

from segkit.data.phantom.canvas import Canvas
from segkit.data.phantom.placement import Inside, find_room, random_center, slabs_around
from segkit.data.phantom.shapes import Blob, coverage, draw_blob, membrane

RADII_NM = (162.0, 330.0)
CLEARANCE_NM = 20.0


def place_granules(canvas: Canvas, rng: np.random.Generator, count: int, code: int, inside: Inside) -> int:
    """Place up to ``count`` granules, small ones in a small field; returns how many found room."""
    largest = float(np.clip(0.2 * canvas.field_nm, RADII_NM[0], RADII_NM[1]))
    placed = 0
    # The first granule is a small one, as at least one must find room.
    for number in range(count):

        def propose(largest: float = largest if number else min(largest, 240.0)) -> Blob:
            granule = draw_granule(rng, largest)
            reach = 0.4 * granule.radius_nm
            return dataclasses.replace(granule, center_zyx=random_center(canvas, rng, reach, reach))

        granule = find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=200, inside=inside)
        if granule is not None:
            paint_granule(canvas, rng, granule, code)
            placed += 1
    return placed


def draw_granule(rng: np.random.Generator, largest_nm: float = RADII_NM[1]) -> Blob:
    """Draw a granule of a radius up to ``largest_nm`` about the origin."""
    return draw_blob(rng, np.zeros(3), rng.uniform(RADII_NM[0], largest_nm), stretch=1.12, bump=0.07)


def paint_granule(canvas: Canvas, rng: np.random.Generator, granule: Blob, code: int) -> None:
    """Paint a membrane, a pale rim with vesicles and an eccentric core of uneven density; claim the whole."""
    edge, radius = canvas.edge_nm, float(np.prod(granule.half_axes_nm) ** (1 / 3))
    matrix = rng.uniform(0.22, 0.34)
    for window, distance in slabs_around(canvas, granule, CLEARANCE_NM):
        canvas.paint(window, coverage(distance, edge), matrix)
        canvas.claim(window, distance <= 0, code, distance <= CLEARANCE_NM)
    _paint_vesicles(canvas, rng, granule, radius)

    core, density = _draw_core(rng, granule, radius), rng.uniform(0.52, 0.74)
    for window, distance in slabs_around(canvas, granule, CLEARANCE_NM):
        in_core = np.maximum(core.distance(window), distance + 14)
        uneven = 0.05 * np.sin(in_core / 31 + window.y / 57) * np.sin(window.x / 43 + window.z / 67)
        canvas.paint(window, coverage(in_core, 24.0 + edge), density + uneven)
        canvas.paint(window, membrane(distance, edge), 0.92)


def _draw_core(rng: np.random.Generator, granule: Blob, radius_nm: float) -> Blob:
    size = radius_nm * rng.uniform(0.55, 0.82)
    shift = rng.uniform(-1, 1, 3) * 0.35 * (radius_nm - size)
    return draw_blob(rng, granule.center_zyx + shift, size, stretch=1.1, bump=0.15)


def _paint_vesicles(canvas: Canvas, rng: np.random.Generator, granule: Blob, radius_nm: float) -> None:
    """Paint vesicles of 30 to 55 nm under the granule's membrane."""
    for _ in range(rng.integers(8, 26)):
        size = rng.uniform(15, 28)
        spot = rng.standard_normal(3)
        spot *= (radius_nm - size - 16) * rng.uniform(0.75, 0.98) / np.linalg.norm(spot)
        vesicle = draw_blob(rng, granule.center_zyx + spot, size)
        window = canvas.around(vesicle.center_zyx, vesicle.radius_nm + 4)
        if window is not None:
            distance = np.maximum(vesicle.distance(window), granule.distance(window) + 8)
            canvas.paint(window, coverage(distance, canvas.edge_nm), 0.3)
            canvas.paint(window, membrane(distance, canvas.edge_nm), 0.75)
