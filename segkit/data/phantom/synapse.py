"""The synapse: two cells' membranes face to face across the field, the cleft between them."""

from __future__ import annotations

import dataclasses

import numpy as np

from segkit.data.phantom.canvas import BODY, FREE, MARGIN, Canvas, Window
from segkit.data.phantom.shapes import MEMBRANE_NM, coverage, membrane

CLEARANCE_NM = 30.0
NEIGHBOUR_DENSITY = 0.40  # cytoplasm of the other cell


@dataclasses.dataclass(frozen=True)
class Cleft:
    """A gently folded sheet of varying width, with the cell on its near and the neighbour on its far side.

    Args:
        center_zyx: A point of the sheet in nm.
        turn_rad: Direction of the sheet's normal in the slice plane; it points to the neighbour.
        tilt: Shift of the sheet per nm of depth.
        amplitudes_nm: Heights of the folds.
        wavelengths_nm: Their lengths along the sheet.
        phases: Their phases.
        width_nm: Mean width of the cleft.
        width_change_nm: How far the width leaves its mean.
    """

    center_zyx: np.ndarray
    turn_rad: float
    tilt: float
    amplitudes_nm: np.ndarray
    wavelengths_nm: np.ndarray
    phases: np.ndarray
    width_nm: float
    width_change_nm: float

    def distance(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Distance from the middle of the cleft (positive in the neighbour) and half its width, in nm."""
        z, y, x = (p - np.float32(c) for p, c in zip((window.z, window.y, window.x), self.center_zyx, strict=True))
        ny, nx = np.float32(np.sin(self.turn_rad)), np.float32(np.cos(self.turn_rad))
        along, across = ny * x - nx * y, ny * y + nx * x
        height, slope = self.tilt * z, 0.0
        for amplitude, length, phase in zip(self.amplitudes_nm, self.wavelengths_nm, self.phases, strict=True):
            wave = along * np.float32(2 * np.pi / length) + np.float32(phase) + z * np.float32(1.5 / length)
            height = height + np.float32(amplitude) * np.sin(wave)
            slope = slope + np.float32(amplitude * 2 * np.pi / length) * np.cos(wave)
        # Height above the sheet, divided by its steepness: the distance to first order.
        distance = (across - height) / np.sqrt(1 + slope**2 + np.float32(self.tilt) ** 2)
        wobble = np.sin(along / 190 + np.float32(self.phases[0])) * np.sin(along / 83 + z / 120)
        return distance, 0.5 * (np.float32(self.width_nm) + np.float32(self.width_change_nm) * wobble)

    def in_cell(self, center_zyx: np.ndarray) -> bool:
        """Whether a point (z, y, x) in nm lies on the near side, with centriole, Golgi and granules."""
        at = [np.asarray(c, np.float32).reshape(1, 1, 1) for c in center_zyx]
        distance, _ = self.distance(Window((slice(0), slice(0), slice(0)), *at))
        return bool(distance.item() < 0)


def draw_cleft(canvas: Canvas, rng: np.random.Generator) -> Cleft:
    """Draw a cleft of 18 to 42 nm that leaves the cell roughly two thirds of the field."""
    turn = rng.uniform(0, 2 * np.pi)
    side = np.array([0.0, np.sin(turn), np.cos(turn)])
    center = canvas.extent_nm / 2 + side * rng.uniform(0.16, 0.26) * canvas.field_nm
    wavelengths = rng.uniform([1400, 600, 320], [2600, 1000, 480])
    amplitudes = wavelengths * rng.uniform(0.01, 0.045, 3) * min(1.0, canvas.field_nm / 900)
    return Cleft(
        center_zyx=center,
        turn_rad=turn,
        tilt=rng.uniform(-0.3, 0.3),
        amplitudes_nm=amplitudes,
        wavelengths_nm=wavelengths,
        phases=rng.uniform(0, 2 * np.pi, 3),
        width_nm=rng.uniform(27, 32),
        width_change_nm=rng.uniform(5, 9),
    )


def paint_synapse(canvas: Canvas, cleft: Cleft, code: int) -> int:
    """Paint neighbour, cleft and membranes slice by slice and claim the cleft; returns its voxels."""
    edge, voxels = canvas.edge_nm, 0
    depth = canvas.voxel_size_nm[0]
    for z in range(canvas.shape[0]):
        # The middle half of the slice, so that rounding outwards takes no neighbour in.
        low = np.array([z * depth + 0.25 * depth, 0, 0])
        high = np.array([z * depth + 0.75 * depth, *canvas.extent_nm[1:]])
        window = canvas.window(low, high)
        distance, half = cleft.distance(window)
        gap = np.abs(distance) - half
        # Neighbour, cleft, the stained coat on the cell's side, both membranes.
        canvas.paint(window, coverage(-distance, edge), NEIGHBOUR_DENSITY)
        canvas.paint(window, coverage(gap, edge), 0.24)
        fuzz = np.exp(-((gap - 2) ** 2) / 50.0) * (distance < 0)
        canvas.paint(window, 0.35 * fuzz, 0.7)
        canvas.paint(window, membrane(gap - MEMBRANE_NM, edge), 0.9)
        claimed = gap <= 0
        owner = canvas.owner[window.index]
        owner[(gap <= CLEARANCE_NM) & (owner == FREE)] = MARGIN
        owner[(gap <= MEMBRANE_NM) & ~claimed] = BODY
        owner[claimed] = code
        voxels += int(claimed.sum())
    return voxels
