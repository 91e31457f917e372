"""What fills a cell between its organelles: uneven protein, filaments, ribosomes."""

from __future__ import annotations

import numpy as np

from segkit.data.phantom.canvas import FREE, MARGIN, Canvas
from segkit.data.phantom.placement import random_center
from segkit.data.phantom.shapes import coverage, draw_curve, tilted_axis, unit_vector

DENSITY = 0.37


def add_unevenness(canvas: Canvas, rng: np.random.Generator, scale_nm: float, strength: float) -> None:
    """Add a smooth random field to the whole density.

    Args:
        canvas: Where.
        rng: Source of randomness.
        scale_nm: Distance over which the field changes.
        strength: Its standard deviation in units of density, about.
    """
    weights = [_spline_weights(n, size / scale_nm) for n, size in zip(canvas.shape, canvas.voxel_size_nm, strict=True)]
    counts = [int(first[-1]) + 4 for first, _ in weights]
    # Splines smooth random knots to about a third of their deviation in three axes; the factor makes up for it.
    coarse = rng.standard_normal(counts, dtype=np.float32) * np.float32(strength * 3.0)
    # Separable, plane by plane: no more than a plane is interpolated at a time.
    (z_first, z_weight), along_y, along_x = weights
    for z in range(canvas.shape[0]):
        plane = sum(w * knots for w, knots in zip(z_weight[z], coarse[z_first[z] : z_first[z] + 4], strict=True))
        rows = _interpolate(plane, *along_y)
        canvas.density[z] += _interpolate(rows.T, *along_x).T


def _spline_weights(count: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Cubic B-spline: first of four knots and their weights (count, 4) for positions ``step`` knots apart."""
    position = np.arange(count) * step
    first = np.floor(position).astype(int)
    t = position - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
    return first, (weights / 6).astype(np.float32)


def _interpolate(knots: np.ndarray, first: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Interpolate along the first axis."""
    out = knots[first] * weights[:, :1]
    for tap in range(1, 4):
        out += knots[first + tap] * weights[:, tap : tap + 1]
    return out


def scatter_filaments(canvas: Canvas, rng: np.random.Generator, per_um2: float = 22.0) -> None:
    """Paint loose bundles of 7 nm filaments where no object lies."""
    # Three filaments to a bundle.
    for _ in range(round(per_um2 * canvas.area_um2 / 3)):
        center, axis = random_center(canvas, rng, 0.0), tilted_axis(rng, 25.0)
        for _ in range(3):
            spot = center + rng.normal(0, 22, 3)
            curve = draw_curve(rng, spot, axis + 0.12 * rng.standard_normal(3), max_slope=0.4)
            strength = rng.uniform(0.35, 0.7)
            for start, end, low, high in curve.boxes(rng.uniform(120, 420), 60.0, 8.0):
                window = canvas.window(low, high)
                if window is None:
                    break
                t, radius = curve.coordinates(window)
                owner = canvas.owner[window.index]
                here = (t >= start) & (t < end) & ((owner == FREE) | (owner == MARGIN))
                canvas.paint(window, here * strength * coverage(radius - 3.5, canvas.edge_nm), 0.8)


def scatter_ribosomes(canvas: Canvas, rng: np.random.Generator, per_um3: float = 6000.0) -> None:
    """Paint dark grains of 18 to 27 nm, alone and in clusters, away from objects."""
    depth = float(canvas.extent_nm[0])
    # µm² times nm times 1e-3 is µm³; centres may lie 10 nm beyond either face.
    total = round(per_um3 * canvas.area_um2 * (depth + 20) * 1e-3)
    while total > 0:
        members = int(rng.choice([1, 1, 2, 4, 6, 9]))
        center = random_center(canvas, rng, 0.0, 10.0)
        for _ in range(members):
            spot = center + unit_vector(rng) * rng.uniform(0, 16 * members**0.5) * (members > 1)
            _paint_grain(canvas, spot, rng.uniform(9.5, 14), rng.uniform(0.7, 1.0))
        total -= members


def _paint_grain(canvas: Canvas, center_zyx: np.ndarray, radius_nm: float, strength: float) -> None:
    window = canvas.around(center_zyx, radius_nm + canvas.edge_nm)
    if window is None:
        return
    z, y, x = (p - np.float32(c) for p, c in zip((window.z, window.y, window.x), center_zyx, strict=True))
    owner = canvas.owner[window.index]
    free = owner == FREE
    canvas.paint(window, free * strength * coverage(np.sqrt(z * z + y * y + x * x) - radius_nm, canvas.edge_nm), 0.95)
