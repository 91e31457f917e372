"""Microtubules: hollow, gently curved tubes of 25 nm."""

from __future__ import annotations

import numpy as np

from segkit.data.phantom.canvas import Canvas
from segkit.data.phantom.shapes import Curve, coverage, draw_curve, shell, tilted_axis

OUTER_RADIUS_NM = 12.5
WALL_NM = 4.5  # leaves a lumen of 16 nm
CLEARANCE_NM = 14.0
PIECE_NM = 60.0
CLEAR_ZONE_NM = 9.0  # about a microtubule the cytoplasm is thin

Piece = tuple[float, float, np.ndarray, np.ndarray]


def place_microtubules(
    canvas: Canvas, rng: np.random.Generator, count: int, code: int, origin_zyx: np.ndarray | None = None
) -> int:
    """Place up to ``count`` microtubules, some in the slice plane and most of them steep.

    Args:
        canvas: Where.
        rng: Source of randomness.
        count: How many.
        code: Owner code of the mask.
        origin_zyx: Those in the plane point away from here, as from a centrosome. Any direction by default.

    Returns:
        How many found room.
    """
    placed = 0
    least = min(120.0, 0.9 * float(canvas.extent_nm[0]))
    for _ in range(40 * count):
        if placed == count:
            break
        curve = _draw(canvas, rng, origin_zyx)
        length = rng.uniform(500, 2200)
        # From the middle in both directions, each until something is in the way.
        pieces = _free_pieces(canvas, curve, length / 2) + _free_pieces(canvas, curve, -length / 2)
        if sum(end - start for start, end, *_ in pieces) >= least:
            for piece in pieces:
                paint_piece(canvas, curve, piece, code)
            placed += 1
    return placed


def _draw(canvas: Canvas, rng: np.random.Generator, origin_zyx: np.ndarray | None) -> Curve:
    """Draw a tube through the volume: one in seven flat and away from the origin, the others steep."""
    center = rng.uniform(0, 1, 3) * canvas.extent_nm
    if rng.uniform() < 1 / 7:
        axis = tilted_axis(rng, 8.0)
        if origin_zyx is not None:
            away = center - origin_zyx
            axis = axis * [1, 0.5, 0.5] + [0, *(away[1:] / max(np.linalg.norm(away[1:]), 1.0))]
    else:
        cosine, turn = rng.uniform(0.5, 1.0), rng.uniform(0, 2 * np.pi)
        sine = np.sqrt(1 - cosine**2)
        axis = np.array([cosine, sine * np.sin(turn), sine * np.cos(turn)])
    return draw_curve(rng, center, axis)


def _free_pieces(canvas: Canvas, curve: Curve, length_nm: float) -> list[Piece]:
    """Go along the curve as far as it stays in the volume and meets no other object."""
    pieces = []
    reach = OUTER_RADIUS_NM + CLEARANCE_NM
    for start, end, low, high in curve.boxes(length_nm, PIECE_NM, reach):
        window = canvas.window(low, high, canvas.coarse_step(6.0))
        if window is None:
            break
        t, radius = curve.coordinates(window)
        region = (t >= start) & (t < end) & (radius < reach)
        if not canvas.is_free(window, region):
            break
        pieces.append((start, end, low, high))
    return pieces


def paint_piece(canvas: Canvas, curve: Curve, piece: Piece, code: int) -> None:
    """Paint one piece of the tube and claim it, lumen included, for the mask ``code``."""
    start, end, low, high = piece
    window = canvas.window(low, high)
    if window is None:
        return
    t, radius = curve.coordinates(window)
    here = (t >= start) & (t < end)
    distance = radius - np.float32(OUTER_RADIUS_NM)
    # Not over tubules that are painted already, such as the piece before this one.
    free = canvas.owner[window.index] != code
    canvas.paint(window, 0.6 * (here & free) * coverage(distance - CLEAR_ZONE_NM, 8.0), 0.28)
    canvas.paint(window, here * coverage(distance + WALL_NM, canvas.edge_nm), 0.26)
    canvas.paint(window, here * shell(distance, WALL_NM, canvas.edge_nm), 1.1)
    canvas.claim(window, here & (distance <= 0), code, here & (distance <= CLEARANCE_NM))
