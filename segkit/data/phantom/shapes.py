"""Distances in nanometres and the soft edges drawn from them.

A distance is negative inside a body and positive outside of it, in nm, on the voxel centres of a `Window`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from segkit.data.phantom.canvas import Window

MEMBRANE_NM = 7.0  # a stained bilayer


def coverage(distance: np.ndarray, edge_nm: float) -> np.ndarray:
    """Share of a voxel of width ``edge_nm`` that lies inside: 1 inside, 0 outside, linear across the edge."""
    return np.clip(0.5 - distance / edge_nm, 0.0, 1.0)


def shell(distance: np.ndarray, thickness_nm: float, edge_nm: float) -> np.ndarray:
    """Share of a voxel in the shell of ``thickness_nm`` just inside the surface, however thin."""
    return coverage(distance, edge_nm) - coverage(distance + thickness_nm, edge_nm)


def membrane(distance: np.ndarray, edge_nm: float) -> np.ndarray:
    """Stain of a bilayer just inside the surface: two leaflets, lighter between where resolved."""
    return shell(distance, MEMBRANE_NM, edge_nm) - 0.6 * shell(distance + 2.5, MEMBRANE_NM - 5.0, edge_nm)


def unit_vector(rng: np.random.Generator) -> np.ndarray:
    """Draw a direction (z, y, x), uniform on the sphere."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def frame_about(axis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Complete ``axis`` (z, y, x) to three orthonormal rows, turned at random about the axis."""
    axis = axis / np.linalg.norm(axis)
    side = np.cross(axis, unit_vector(rng))
    side /= np.linalg.norm(side)
    return np.stack([axis, side, np.cross(axis, side)])


def tilted_axis(rng: np.random.Generator, max_tilt_deg: float) -> np.ndarray:
    """Draw a direction (z, y, x) that leaves the slice plane by at most ``max_tilt_deg``."""
    turn = rng.uniform(0, 2 * np.pi)
    tilt = np.deg2rad(rng.uniform(-max_tilt_deg, max_tilt_deg))
    return np.array([np.sin(tilt), np.cos(tilt) * np.sin(turn), np.cos(tilt) * np.cos(turn)])


def local_coordinates(window: Window, center_zyx: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
    """Positions of the window's voxels along the rows of ``frame``, from ``center_zyx``, in nm."""
    z, y, x = (p - np.float32(c) for p, c in zip((window.z, window.y, window.x), center_zyx, strict=True))
    return [np.float32(a) * z + np.float32(b) * y + np.float32(c) * x for a, b, c in frame]


@dataclasses.dataclass(frozen=True)
class Blob:
    """An ellipsoid with a gently uneven surface.

    Args:
        center_zyx: Centre in nm.
        frame: Orthonormal rows, the directions of the half axes.
        half_axes_nm: Three half axes.
        bump_nm: Height of the unevenness.
        bump_phase: Three phases of the unevenness.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    half_axes_nm: np.ndarray
    bump_nm: float = 0.0
    bump_phase: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def radius_nm(self) -> float:
        """Radius of a sphere that holds the blob."""
        return float(self.half_axes_nm.max() + abs(self.bump_nm) + 1)

    def distance(self, window: Window) -> np.ndarray:
        """Approximate distance to the surface, in nm; exact for a sphere."""
        local = local_coordinates(window, self.center_zyx, self.frame)
        scaled = [c / np.float32(half) for c, half in zip(local, self.half_axes_nm, strict=True)]
        reach = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
        mean = np.float32(np.prod(self.half_axes_nm) ** (1 / 3))
        # Scaled to the unit sphere and back by the mean half axis.
        distance = (reach - 1) * mean
        if self.bump_nm:
            turned = (*scaled[1:], scaled[0])
            waves = zip((2.2, 2.8, 3.4), scaled, turned, self.bump_phase, strict=True)
            for number, c, other, phase in waves:
                distance += np.float32(self.bump_nm / 2) * np.sin(number * c + 1.3 * other + np.float32(phase))
        return distance


def draw_blob(
    rng: np.random.Generator,
    center_zyx: np.ndarray,
    radius_nm: float,
    stretch: float = 1.15,
    bump: float = 0.04,
) -> Blob:
    """Draw a blob of mean radius ``radius_nm`` and half axes at most ``stretch`` squared apart."""
    factors = stretch ** rng.uniform(-1, 1, 3)
    half_axes = radius_nm * factors / np.prod(factors) ** (1 / 3)
    phase = tuple(rng.uniform(0, 2 * np.pi, 3))
    return Blob(np.asarray(center_zyx), frame_about(unit_vector(rng), rng), half_axes, bump * radius_nm, phase)


@dataclasses.dataclass(frozen=True)
class Curve:
    """A gently curved line: a straight axis with a wave to either side.

    Args:
        center_zyx: A point of the axis in nm, where ``t = 0``.
        frame: Orthonormal rows: along the axis, first and second side.
        amplitudes_nm: Heights of the two waves.
        wavelengths_nm: Lengths of the two waves.
        phases: Their phases.
    """

    center_zyx: np.ndarray
    frame: np.ndarray
    amplitudes_nm: tuple[float, float]
    wavelengths_nm: tuple[float, float]
    phases: tuple[float, float]

    def _waves(self, t: np.ndarray) -> list[np.ndarray]:
        terms = zip(self.amplitudes_nm, self.wavelengths_nm, self.phases, strict=True)
        return [np.float32(a) * np.sin(t * np.float32(2 * np.pi / w) + np.float32(p)) for a, w, p in terms]

    def point(self, t: float) -> np.ndarray:
        """Position (z, y, x) in nm at ``t`` nm along the axis."""
        first, second = self._waves(np.float32(t))
        return self.center_zyx + t * self.frame[0] + first * self.frame[1] + second * self.frame[2]

    def coordinates(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Position along the axis and distance from the line, both in nm (waves must be long and low)."""
        t, first, second = local_coordinates(window, self.center_zyx, self.frame)
        bend = self._waves(t)
        # Measured across the axis: exact where the line runs along it.
        return t, np.hypot(first - bend[0], second - bend[1])

    def boxes(
        self, length_nm: float, step_nm: float, pad_nm: float
    ) -> Iterator[tuple[float, float, np.ndarray, np.ndarray]]:
        """Go along ``length_nm`` from ``t = 0`` (backwards if negative) in pieces.

        Yields:
            Start and end of the piece in nm along the axis, low and high corner (z, y, x) of its padded box.
        """
        sign = 1.0 if length_nm > 0 else -1.0
        for done in np.arange(0.0, abs(length_nm), step_nm):
            ends = sign * np.array([done, min(done + step_nm, abs(length_nm))])
            points = np.stack([self.point(t) for t in np.linspace(*ends, 4)])
            yield ends.min(), ends.max(), points.min(0) - pad_nm, points.max(0) + pad_nm


def draw_curve(rng: np.random.Generator, center_zyx: np.ndarray, axis: np.ndarray, max_slope: float = 0.25) -> Curve:
    """Draw a curve through ``center_zyx`` along ``axis`` that leaves it by at most ``max_slope``."""
    wavelengths = rng.uniform(900, 2500, 2)
    # A wave's largest slope is 2 pi times amplitude by wavelength; both together stay below `max_slope`.
    amplitudes = rng.uniform(0.2, 1.0, 2) * max_slope / np.sqrt(2) * wavelengths / (2 * np.pi)
    phases = rng.uniform(0, 2 * np.pi, 2)
    curve = Curve(np.zeros(3), frame_about(axis, rng), tuple(amplitudes), tuple(wavelengths), tuple(phases))
    # Shifted so that the curve itself, and not its axis, goes through the centre.
    return dataclasses.replace(curve, center_zyx=np.asarray(center_zyx) - curve.point(0.0))
