"""Seeded stacks of fluorescent cells with their labels: tests, demonstrations and benchmarks without real data."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from segkit.data.cell_simulation import CellSimulation
from segkit.instances.renumber import renumbered

_LUMPS = 6  # waves that make a surface uneven
_ATTEMPTS = 200  # places that are tried for a cell


def simulate_cells(settings: CellSimulation, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a stack.

    Args:
        settings: What cells and microscope are like.
        seed: Same seed, same stack.

    Returns:
        Grey values of the type of the settings, and labels, uint16, ids from 1 on without gaps, both ``(z, y, x)``.
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(settings.shape, np.uint16)
    depth = np.full(settings.shape, np.inf, np.float32)  # how far outside the nearest cell a voxel lies, 1 at surfaces
    light = np.zeros(settings.shape, np.float32)
    texture = _texture(settings, rng)
    for number, cell in enumerate(_placed(settings, rng), start=1):
        window, reach, height = cell.measure(settings)
        # Where cells press against each other, a voxel belongs to the one it lies deeper in.
        nearer = (reach < 1) & (reach < depth[window])
        labels[window][nearer] = number
        depth[window][nearer] = reach[nearer]
        light[window][nearer] = (cell.brightness * (1 - settings.fading * np.minimum(height**2, 1)))[nearer]
    light = ndimage.gaussian_filter(
        light * texture, [b / v for b, v in zip(settings.blur_um, settings.voxel_size_um, strict=True)]
    )
    # Shot noise: the variance of a count is its mean.
    counts = rng.poisson(settings.photons * (light + settings.background)).astype(np.float32)
    limit = np.iinfo(settings.dtype).max
    # Mean cells take a third of the range, so that bright ones fit in.
    grey = np.round(counts * (limit / 3 / settings.photons))
    return np.clip(grey, 0, limit).astype(settings.dtype), renumbered(labels).astype(np.uint16)


@dataclasses.dataclass(frozen=True)
class _Cell:
    """A cell: its centre and radii along its own axes [µm], its turn about z [rad], the waves of its surface."""

    center: np.ndarray
    radii: np.ndarray
    turn: float
    brightness: float
    waves: np.ndarray
    phases: np.ndarray

    def measure(self, settings: CellSimulation) -> tuple[tuple[slice, ...], np.ndarray, np.ndarray]:
        """Return the box around the cell, how far each voxel of it lies outside (1 at the surface), and its height.

        The height is measured from the middle slice in radii.
        """
        voxel = np.array(settings.voxel_size_um)
        # The crest is that of `surface` below, with all `_LUMPS` cosines at 1.
        farthest = 1 + settings.irregularity * np.sqrt(2 * _LUMPS)  # where all waves crest
        largest = np.array([self.radii[0], *[self.radii[1:].max()] * 2]) * farthest
        low = np.maximum(np.floor((self.center - largest) / voxel), 0).astype(int)
        high = np.minimum(np.ceil((self.center + largest) / voxel) + 1, settings.shape).astype(int)
        window = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
        z, y, x = np.meshgrid(
            *((np.arange(w.start, w.stop) * v - c) for w, v, c in zip(window, voxel, self.center, strict=True)),
            indexing="ij",
            sparse=True,
        )
        along, across = y * np.cos(self.turn) + x * np.sin(self.turn), x * np.cos(self.turn) - y * np.sin(self.turn)
        parts = [z / self.radii[0], along / self.radii[1], across / self.radii[2]]
        norm = np.sqrt(sum(part**2 for part in parts))
        safe = np.maximum(norm, 1e-6)
        uneven = sum(
            np.cos(sum(w * part / safe for w, part in zip(wave, parts, strict=True)) + phase)
            for wave, phase in zip(self.waves, self.phases, strict=True)
        )
        # A sum of n cosines of random phases has the standard deviation sqrt(n / 2).
        surface = np.maximum(1 + settings.irregularity * uneven / np.sqrt(_LUMPS / 2), 0.2)
        return window, (norm / surface).astype(np.float32), np.broadcast_to(parts[0], norm.shape)


def _placed(settings: CellSimulation, rng: np.random.Generator) -> list[_Cell]:
    """Draw cells one after the other, each where its centre is far enough from the others."""
    extent = np.array(settings.shape) * np.array(settings.voxel_size_um)
    mean = np.array(settings.radius_um)
    margin = np.minimum(settings.inside * mean, extent / 2)
    cells: list[_Cell] = []
    for _ in range(settings.count):
        radii = mean * np.maximum(1 + settings.radius_spread * rng.normal(size=3), 0.4)
        for _ in range(_ATTEMPTS):
            center = rng.uniform(margin, extent - margin)
            # In mean diameters along each axis, so that the distance counts alike in all directions.
            apart = np.array([center - other.center for other in cells]).reshape(-1, 3) / (2 * mean)
            if (np.linalg.norm(apart, axis=1) >= settings.spacing).all():
                cells.append(_drawn(settings, rng, center, radii))
                break
    return cells


def _drawn(settings: CellSimulation, rng: np.random.Generator, center: np.ndarray, radii: np.ndarray) -> _Cell:
    return _Cell(
        center=center,
        radii=radii,
        turn=float(rng.uniform(0, np.pi)),
        brightness=float(max(1 + settings.brightness_spread * rng.normal(), 0.3)),
        waves=rng.normal(size=(_LUMPS, 3)) * 2.0,
        phases=rng.uniform(0, 2 * np.pi, _LUMPS),
    )


def _texture(settings: CellSimulation, rng: np.random.Generator) -> np.ndarray:
    """Return uneven brightness of mean 1, with lumps of a fifth of a cell."""
    sizes = [0.2 * r / v for r, v in zip(settings.radius_um, settings.voxel_size_um, strict=True)]
    noise = ndimage.gaussian_filter(rng.normal(size=settings.shape).astype(np.float32), sizes)
    return np.maximum(1 + settings.texture * noise / max(float(noise.std()), 1e-6), 0)
