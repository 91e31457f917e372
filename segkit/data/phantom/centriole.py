"""Centrioles: barrels of nine microtubule triplets."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from segkit.data.phantom.canvas import FREE, Canvas, Window
from segkit.data.phantom.microtubules import OUTER_RADIUS_NM, WALL_NM
from segkit.data.phantom.placement import Inside, find_room, random_center, slabs_around
from segkit.data.phantom.shapes import coverage, frame_about, local_coordinates, shell

FOLD = 9
TUBULE_STEP_NM = 20.0  # neighbours in a triplet share a wall
TRIPLET_TURN = np.deg2rad(50.0)  # of the triplet's line against the radius
CLEARANCE_NM = 20.0
CLEAR_ZONE_NM = 70.0  # pericentriolar material is pale and keeps ribosomes away


@dataclasses.dataclass(frozen=True)
class Barrel:
    """A centriole as a body: the whole cylinder of wall and lumen, as annotators paint it.

    Args:
        center_zyx: Centre in nm.
        frame: Orthonormal rows, the first along the barrel.
        length_nm: Length of the barrel.
        outer_radius_nm: From the axis to the outside of the outermost tubules.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    length_nm: float
    outer_radius_nm: float

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere that holds the barrel."""
        return float(np.hypot(self.length_nm / 2, self.outer_radius_nm))

    def cylinder(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position along the axis [nm], distance from the axis [nm] and angle about it [rad]."""
        t, u, v = local_coordinates(window, self.center_zyx, self.frame)
        return t, np.hypot(u, v), np.arctan2(v, u)

    def distance(self, window: Window) -> np.ndarray:
        """Distance to the surface of the cylinder, in nm."""
        t, radius, _ = self.cylinder(window)
        return np.maximum(radius - self.outer_radius_nm, np.abs(t) - self.length_nm / 2)

    def tubule_centers(self) -> np.ndarray:
        """Centres of the A, B and C tubule of one triplet in the cross-section: radial, tangential, in nm."""
        line = np.array([np.cos(TRIPLET_TURN), np.sin(TRIPLET_TURN)])
        outermost = self.outer_radius_nm - OUTER_RADIUS_NM
        # The third tubule, two steps along the line, touches the outer radius: solved for the radius of the first.
        first = np.sqrt(outermost**2 - (2 * TUBULE_STEP_NM * line[1]) ** 2) - 2 * TUBULE_STEP_NM * line[0]
        return np.array([first, 0.0]) + TUBULE_STEP_NM * np.arange(3)[:, None] * line


def draw_barrel(rng: np.random.Generator, center_zyx: np.ndarray, axis: np.ndarray) -> Barrel:
    """Draw a barrel of 204 to 246 nm across and 360 to 440 nm long."""
    return Barrel(np.asarray(center_zyx), frame_about(axis, rng), rng.uniform(360, 440), rng.uniform(102, 123))


def place_centrioles(canvas: Canvas, rng: np.random.Generator, count: int, code: int, inside: Inside) -> list[Barrel]:
    """Place up to ``count`` centrioles, every second one at a right angle beside the one before where it
    fits.

    The angles of the barrels to the z axis are spread evenly over the sphere, so that a volume with several
    shows cross-sections, oblique and lengthwise cuts.
    """
    # Cosines to z, one in each of `count` equal parts of [0, 1]: even cosines are even on the sphere.
    tilts = (rng.permutation(count) + rng.uniform(0, 1, count)) / count
    barrels: list[Barrel] = []
    for number in range(count):
        daughter = number % 2 == 1
        barrel = _beside(canvas, rng, barrels[-1], inside) if daughter else None
        barrel = barrel or _alone(canvas, rng, tilts[number], inside)
        if barrel is None:
            break
        paint_centriole(canvas, barrel, code)
        barrels.append(barrel)
    return barrels


def _alone(canvas: Canvas, rng: np.random.Generator, tilt: float, inside: Inside) -> Barrel | None:
    """Find room for a barrel whose axis has the cosine ``tilt`` to z."""
    inset = min(170.0, 0.4 * canvas.field_nm)

    def propose() -> Barrel:
        turn, across = rng.uniform(0, 2 * np.pi), np.sqrt(1 - tilt**2)
        axis = np.array([tilt, across * np.sin(turn), across * np.cos(turn)])
        return draw_barrel(rng, random_center(canvas, rng, inset), axis)

    return find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=300, inside=inside)


def _beside(canvas: Canvas, rng: np.random.Generator, mother: Barrel, inside: Inside) -> Barrel | None:
    """Find room for a daughter at a right angle to ``mother``, her near end beside the mother's wall."""

    def propose() -> Barrel:
        axis = frame_about(mother.frame[0], rng)[1]
        daughter = draw_barrel(rng, np.zeros(3), axis)
        # From axis to centre: the mother's radius, the gap between both, half the daughter's length.
        gap = mother.outer_radius_nm + rng.uniform(45, 90) + daughter.length_nm / 2
        center = mother.center_zyx - rng.uniform(0, 110) * mother.frame[0] + gap * axis
        return dataclasses.replace(daughter, center_zyx=center)

    def in_volume(center: np.ndarray) -> bool:
        within = bool(np.all((center > 0) & (center < canvas.extent_nm)))
        return within and (inside is None or inside(center))

    return find_room(canvas, propose, clearance_nm=CLEARANCE_NM, tries=60, inside=in_volume)


def paint_centriole(canvas: Canvas, barrel: Barrel, code: int) -> None:
    """Paint the barrel in its pale pericentriolar material and claim it for the mask ``code``."""
    edge = canvas.edge_nm
    inner = float(barrel.tubule_centers()[0, 0]) - OUTER_RADIUS_NM
    for window, distance in slabs_around(canvas, barrel, CLEAR_ZONE_NM):
        cytoplasm = canvas.owner[window.index] == FREE
        # From the outside in, each coat over the one before: pale zone, wall, lumen, tubules, cartwheel.
        canvas.paint(window, cytoplasm * 0.55 * np.exp(-np.maximum(distance, 0) / (CLEAR_ZONE_NM / 2.5)), 0.27)
        t, radius, angle = barrel.cylinder(window)
        within = coverage(np.abs(t) - barrel.length_nm / 2, edge)
        canvas.paint(window, coverage(distance, edge), 0.54)
        canvas.paint(window, within * coverage(radius - inner, edge), 0.32)
        wall, lumen = _triplets(barrel, radius, angle, edge)
        canvas.paint(window, within * lumen, 0.30)
        canvas.paint(window, within * wall, 1.1)
        canvas.paint(window, 0.8 * coverage(_cartwheel(barrel, t, radius, angle, inner), edge), 0.75)
        canvas.claim(window, distance <= 0, code, distance <= CLEARANCE_NM)


def _cartwheel(barrel: Barrel, t: np.ndarray, radius: np.ndarray, angle: np.ndarray, inner_nm: float) -> np.ndarray:
    """Distance to the hub and nine spokes in the near quarter of the barrel, in nm."""
    # Near a spoke |sin(9 a / 2)| * r * 2 / 9 is the distance along the arc.
    hub = np.abs(radius - 11.0) - 3.5
    spokes = np.maximum(np.abs(np.sin(angle * (FOLD / 2))) * radius * (2 / FOLD) - 2.5, radius - inner_nm)
    height = np.abs(t + 0.35 * barrel.length_nm) - 0.13 * barrel.length_nm
    return np.maximum(np.minimum(hub, spokes), height)


def _triplets(barrel: Barrel, radius: np.ndarray, angle: np.ndarray, edge_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Coverage of the tubule walls and of the tubule lumens; nine-fold, so one sector stands for all."""
    sector = 2 * np.pi / FOLD
    # From -0.3 to 0.7 sectors: triplets lean towards positive angles, and must not be cut.
    folded = np.mod(angle + 0.3 * sector, sector) - 0.3 * sector
    radial, tangential = radius * np.cos(folded), radius * np.sin(folded)
    tubules = [
        np.hypot(radial - np.float32(a), tangential - np.float32(b)) - np.float32(OUTER_RADIUS_NM)
        for a, b in barrel.tubule_centers()
    ]
    wall = functools.reduce(np.maximum, [shell(d, WALL_NM, edge_nm) for d in tubules])
    return wall, coverage(functools.reduce(np.minimum, tubules) + WALL_NM, edge_nm)
