"""Organelles that no mask shows: what a segmentation must distinguish from its structures."""

from __future__ import annotations

import dataclasses

import numpy as np

from segkit.data.phantom.canvas import BODY, Canvas, Window
from segkit.data.phantom.placement import find_room, random_center, slabs_around
from segkit.data.phantom.shapes import (
    MEMBRANE_NM,
    Blob,
    coverage,
    draw_blob,
    frame_about,
    local_coordinates,
    membrane,
    tilted_axis,
    unit_vector,
)
from segkit.data.phantom.vesicles import paint_vesicle

CLEARANCE_NM = 18.0


@dataclasses.dataclass(frozen=True)
class Capsule:
    """A rod with round ends.

    Args:
        center_zyx: Centre in nm.
        frame: Orthonormal rows, the first along the rod.
        length_nm: Length of the straight part.
        thickness_nm: Radius of the rod.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    length_nm: float
    thickness_nm: float

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere that holds the rod."""
        return self.length_nm / 2 + self.thickness_nm

    def distance(self, window: Window) -> np.ndarray:
        """Distance to the surface, in nm."""
        t, u, v = local_coordinates(window, self.center_zyx, self.frame)
        beyond = np.maximum(np.abs(t) - self.length_nm / 2, 0)
        return np.sqrt(beyond**2 + u**2 + v**2) - self.thickness_nm


@dataclasses.dataclass(frozen=True)
class Sac:
    """A flat, bent disc.

    Args:
        center_zyx: Centre in nm.
        frame: Orthonormal rows: two in the disc's plane, the third across it.
        size_nm: Radius of the disc.
        bend: Rise of the rim relative to the radius.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    size_nm: float
    bend: float

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere that holds the disc."""
        return self.size_nm + 60

    def distance(self, window: Window) -> np.ndarray:
        """Distance to the surface, in nm."""
        u, v, w = local_coordinates(window, self.center_zyx, self.frame)
        across = np.hypot(u, 1.6 * v)
        height = w - self.bend * u * u / self.size_nm - 14 * np.sin(u / 60)
        return np.hypot(np.maximum(across - self.size_nm, 0), height) - 16


def place_organelles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Place distractors in the room that is left, in numbers that follow the field's area."""
    area = canvas.area_um2
    if canvas.field_nm > 1500:
        _place_nucleus(canvas, rng)
    for _ in range(round(0.5 * area)):
        _place_mitochondrion(canvas, rng)
    for _ in range(round(0.6 * area)):
        _place_dense_body(canvas, rng, radii_nm=(70, 190))
    for _ in range(round(0.3 * area)):
        _place_multivesicular_body(canvas, rng)
    for _ in range(round(2.0 * area)):
        _place_reticulum(canvas, rng)
    for _ in range(round(14 * area)):
        center = random_center(canvas, rng, 0.0, 20.0)
        paint_vesicle(canvas, draw_blob(rng, center, rng.uniform(22, 70), stretch=1.2), rng.uniform(0.2, 0.36))


def _place_nucleus(canvas: Canvas, rng: np.random.Generator) -> None:
    """Let a nucleus with dark chromatin reach into the field from a side."""

    def propose() -> Blob:
        radius = rng.uniform(1500, 2500)
        turn = rng.uniform(0, 2 * np.pi)
        away = radius + canvas.field_nm * rng.uniform(0.34, 0.55)
        center = canvas.extent_nm / 2 + away * np.array([0.0, np.sin(turn), np.cos(turn)])
        return Blob(center, frame_about(unit_vector(rng), rng), np.full(3, radius))

    nucleus = find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=100)
    if nucleus is None:
        return
    edge = canvas.edge_nm
    directions = [unit_vector(rng) * [0.4, 1, 1] * 2 * np.pi / s for s in (230.0, 310.0, 420.0, 520.0)]
    phases = rng.uniform(0, 2 * np.pi, 4)
    for window, distance in slabs_around(canvas, nucleus, CLEARANCE_NM):
        canvas.paint(window, coverage(distance, edge), 0.22)
        canvas.paint(window, coverage(distance + 38, edge), 0.34)
        local = zip(directions, phases, strict=True)
        # Chromatin: dark where four waves of random direction add up, and along the rim.
        patches = sum(np.sin(_along(window, d) + np.float32(phase)) for d, phase in local)
        rim = np.exp(-((distance + 75) ** 2) / 3000)
        dark = coverage(40 * (0.9 - patches - 2.2 * rim), 60.0) * coverage(distance + 46, edge)
        canvas.paint(window, dark, 0.62)
        canvas.paint(window, membrane(distance, edge), 0.88)
        canvas.paint(window, membrane(distance + 31, edge), 0.88)
        canvas.claim(window, distance <= 0, BODY, distance <= CLEARANCE_NM)


def _along(window: Window, direction: np.ndarray) -> np.ndarray:
    z, y, x = (np.float32(d) for d in direction)
    return z * window.z + y * window.y + x * window.x


def _place_mitochondrion(canvas: Canvas, rng: np.random.Generator) -> None:
    """Place a rod with two membranes, a dark matrix and cristae."""

    def propose() -> Capsule:
        thickness, length = rng.uniform(110, 190), rng.uniform(150, 800)
        center = random_center(canvas, rng, 0.0, 50.0)
        return Capsule(center, frame_about(tilted_axis(rng, 40.0), rng), length, thickness)

    body = find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=40)
    if body is None:
        return
    edge, spacing = canvas.edge_nm, rng.uniform(60, 100)
    density, phase = rng.uniform(0.5, 0.62), np.float32(rng.uniform(0, 6))
    for window, distance in slabs_around(canvas, body, CLEARANCE_NM):
        crista = _cristae(body, window, spacing, phase)
        matrix = coverage(distance + 17, edge)
        canvas.paint(window, coverage(distance, edge), 0.26)
        canvas.paint(window, matrix, density)
        canvas.paint(window, matrix * coverage(crista, edge), 0.24)
        canvas.paint(window, matrix * membrane(crista, edge), 0.8)
        canvas.paint(window, membrane(distance + 17 - MEMBRANE_NM, edge), 0.85)
        canvas.paint(window, membrane(distance, edge), 0.88)
        canvas.claim(window, distance <= 0, BODY, distance <= CLEARANCE_NM)


def _cristae(body: Capsule, window: Window, spacing_nm: float, phase: np.ndarray) -> np.ndarray:
    """Distance to folds of the inner membrane across the rod, in nm."""
    t, u, v = local_coordinates(window, body.center_zyx, body.frame)
    along = t + 22 * np.sin(u / 55 + phase) + 15 * np.sin(v / 70)
    # Folds enter from alternating sides.
    cell = np.floor(along / spacing_nm)
    reach = np.where(np.mod(cell, 2) == 0, u, -u) - 0.55 * body.thickness_nm * np.sin(2.4 * cell)
    return np.maximum(np.abs(np.mod(along, spacing_nm) - spacing_nm / 2) - 11, reach)


def _place_dense_body(canvas: Canvas, rng: np.random.Generator, radii_nm: tuple[float, float]) -> None:
    """Place an evenly dark droplet without a membrane."""
    body = _blob_with_room(canvas, rng, radii_nm, bump=0.12)
    if body is not None:
        density = rng.uniform(0.56, 0.74)
        for window, distance in slabs_around(canvas, body, CLEARANCE_NM):
            canvas.paint(window, coverage(distance, canvas.edge_nm + 6), density)
            canvas.claim(window, distance <= 0, BODY, distance <= CLEARANCE_NM)


def _place_multivesicular_body(canvas: Canvas, rng: np.random.Generator) -> None:
    """Place a pale body with vesicles inside."""
    body = _blob_with_room(canvas, rng, (110.0, 190.0), bump=0.06)
    if body is None:
        return
    edge, lumen = canvas.edge_nm, rng.uniform(0.24, 0.36)
    for window, distance in slabs_around(canvas, body, CLEARANCE_NM):
        canvas.paint(window, coverage(distance, edge), lumen)
        canvas.paint(window, membrane(distance, edge), 0.88)
        canvas.claim(window, distance <= 0, BODY, distance <= CLEARANCE_NM)
    for _ in range(int(rng.integers(10, 30))):
        spot = unit_vector(rng) * body.half_axes_nm.min() * rng.uniform(0, 0.72)
        vesicle = draw_blob(rng, body.center_zyx + spot, rng.uniform(18, 34))
        inner = canvas.around(vesicle.center_zyx, vesicle.radius_nm + 3)
        if inner is not None:
            canvas.paint(inner, membrane(vesicle.distance(inner), edge), 0.8)


def _place_reticulum(canvas: Canvas, rng: np.random.Generator) -> None:
    """Place a flat, bent sac, alone as a cisterna of the reticulum is."""

    def propose() -> Sac:
        normal, first, second = frame_about(tilted_axis(rng, 40.0), rng)
        center = random_center(canvas, rng, 0.0, 40.0)
        return Sac(center, np.stack([first, second, normal]), rng.uniform(90, 330), rng.uniform(-0.2, 0.2))

    sac = find_room(canvas, propose, clearance_nm=8.0, tries=12)
    if sac is not None:
        for window, distance in slabs_around(canvas, sac, 8.0):
            canvas.paint(window, coverage(distance, canvas.edge_nm), 0.26)
            canvas.paint(window, membrane(distance, canvas.edge_nm), 0.85)
            canvas.claim(window, distance <= 0, BODY)


def _blob_with_room(
    canvas: Canvas, rng: np.random.Generator, radii_nm: tuple[float, float], bump: float
) -> Blob | None:
    def propose() -> Blob:
        radius = rng.uniform(*radii_nm)
        return draw_blob(rng, random_center(canvas, rng, 0.0, 0.5 * radius), radius, stretch=1.2, bump=bump)

    return find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=25)
