"""From stain density to a tomogram: noise, blur, missing wedge, grey values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from segkit.errors import InputError

BLOCK_VOXELS = 8_000_000
MIDDLE_DENSITY = 0.40
GREY_PER_DENSITY = 190.0
REFERENCE_VOXEL_NM = 4.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imaging:
    """How a phantom is recorded.

    Args:
        contrast: Factor on the grey values' distance from the middle, positive.
        noise: Standard deviation of the noise in a tomogram of 4.5 nm voxels, in units of density, where
            membranes are about 0.9 and cytoplasm 0.37; at least 0. It falls with the size of the voxels and
            is a little stronger where the specimen is dense.
        blur_nm: Standard deviation of the point spread in nm, at least 0. It shapes the noise too.
        max_tilt_deg: Largest tilt to either side about the y axis; beyond it nothing is measured (90: no
            missing wedge).
    """

    contrast: float = 1.0
    noise: float = 0.10
    blur_nm: float = 2.2
    max_tilt_deg: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values without a meaning.

        Raises:
            InputError: If a value is out of its range.
        """
        for name, low, high in (
            ("contrast", 1e-6, 100.0),
            ("noise", 0.0, 100.0),
            ("blur_nm", 0.0, 1000.0),
            ("max_tilt_deg", 1.0, 90.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"phantom: {name} {value!r}; give a number from {low:g} to {high:g}")


def transfer_function(
    shape_zx: tuple[int, int], voxel_size_zx_nm: tuple[float, float], blur_nm: float, max_tilt_deg: float
) -> np.ndarray:
    """Transfer of the microscope on the half plane of a real Fourier transform over z and x.

    The point spread is a Gaussian; everything more than ``max_tilt_deg`` from the x axis is zero, with an edge
    three degrees soft inside. The mean (zero frequency) passes.

    Args:
        shape_zx: Voxels along z and x.
        voxel_size_zx_nm: Their size in nm.
        blur_nm: Standard deviation of the point spread in nm.
        max_tilt_deg: Largest tilt; 90 leaves no wedge.

    Returns:
        float32, shape ``(z, x // 2 + 1)``.
    """
    kz = np.fft.fftfreq(shape_zx[0], voxel_size_zx_nm[0])[:, None]
    kx = np.fft.rfftfreq(shape_zx[1], voxel_size_zx_nm[1])[None, :]
    # The Fourier transform of a Gaussian, with frequencies in cycles per nm.
    spread = np.exp(-2 * (math.pi * blur_nm) ** 2 * (kz**2 + kx**2))
    if max_tilt_deg < 90:
        elevation = np.rad2deg(np.arctan2(np.abs(kz), kx))
        spread *= np.clip((max_tilt_deg - elevation) / 3.0, 0, 1) * (elevation <= max_tilt_deg)
        # Zero frequency has no direction.
        spread[0, 0] = 1.0
    return spread.astype(np.float32)


def add_noise(
    density: np.ndarray, rng: np.random.Generator, imaging: Imaging, voxel_size_nm: tuple[float, float, float]
) -> None:
    """Add the noise, in place, that `blur_and_tilt` brings down to ``imaging.noise`` at voxels of 4.5 nm.

    The dose in a cubic nanometre is the same at any voxel size, so that larger voxels have less noise.

    Args:
        density: float32, shape (z, y, x).
        rng: Source of randomness.
        imaging: Strength of the noise, and the transfer that it will pass.
        voxel_size_nm: (z, y, x) in nm.
    """
    # The variance falls with the volume of a voxel; `_noise_gain` is the deviation that the transfer leaves of 1.
    volumes = REFERENCE_VOXEL_NM**3 / float(np.prod(voxel_size_nm))
    strength = imaging.noise / _noise_gain(imaging, (REFERENCE_VOXEL_NM,) * 3) * math.sqrt(volumes)
    for plane in density:
        # Variance grows with the density; the factor is 1 at `MIDDLE_DENSITY`.
        local = np.float32(strength) * np.sqrt(np.clip(0.76 + 0.6 * plane, 0.5, 1.6))
        plane += local * rng.standard_normal(plane.shape, dtype=np.float32)


def _noise_gain(imaging: Imaging, voxel_size_nm: tuple[float, float, float]) -> float:
    """Standard deviation that is left of white noise of 1."""
    sigma = _blur_nm(imaging, voxel_size_nm)
    # The variance of white noise that passes is the mean of the squared transfer, or the sum of the squared kernel.
    half_plane = transfer_function((64, 64), (voxel_size_nm[0], voxel_size_nm[2]), sigma, imaging.max_tilt_deg)
    rows = _kernel(sigma / voxel_size_nm[1])
    return math.sqrt(float(np.mean(half_plane[:, :-1] ** 2)) * float(np.sum(rows**2)))


def blur_and_tilt(
    density: np.ndarray,
    imaging: Imaging,
    voxel_size_nm: tuple[float, float, float],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Blur the density and take the missing wedge out of it, in place, some rows at a time.

    The wedge of a tilt about y is the same for every y, so each block of rows is filtered in z and x alone
    and memory stays bounded. The volume is mirrored at its faces.

    Args:
        density: float32, shape (z, y, x).
        imaging: Point spread and tilt range.
        voxel_size_nm: (z, y, x) in nm.
        progress: Called as ``progress(rows done, rows)``.
    """
    sigma = _blur_nm(imaging, voxel_size_nm)
    for plane in density:
        plane[:] = _blur_rows(plane, _kernel(sigma / voxel_size_nm[1]))
    depth, height, width = density.shape
    # Mirrored: the transform is periodic, and a step between opposite faces would ring through the volume.
    pad = min(width, 64)
    shape_zx = (2 * depth, _fast_length(width + 2 * pad))
    transfer = transfer_function(shape_zx, (voxel_size_nm[0], voxel_size_nm[2]), sigma, imaging.max_tilt_deg)
    rows = max(1, BLOCK_VOXELS // (shape_zx[0] * shape_zx[1]))
    for first in range(0, height, rows):
        block = density[:, first : first + rows]
        wide = np.pad(block, ((0, depth), (0, 0), (pad, shape_zx[1] - width - pad)), mode="symmetric")
        spectrum = np.fft.rfftn(wide, axes=(0, 2))
        # (z, rows, x // 2 + 1), the same transfer for every row
        spectrum *= transfer[:, None, :]
        block[:] = np.fft.irfftn(spectrum, s=shape_zx, axes=(0, 2))[:depth, :, pad : pad + width]
        if progress is not None:
            progress(min(first + rows, height), height)


def to_grey(density: np.ndarray, contrast: float) -> np.ndarray:
    """Map density to int8, dense dark; the same map for every volume, so that seeds are alike."""
    grey = np.empty(density.shape, np.int8)
    for plane, out in zip(density, grey, strict=True):
        value = (MIDDLE_DENSITY - plane) * np.float32(GREY_PER_DENSITY * contrast)
        out[:] = np.clip(np.rint(value), -128, 127)
    return grey


def _blur_nm(imaging: Imaging, voxel_size_nm: tuple[float, float, float]) -> float:
    """Point spread together with the width of a voxel in the slice."""
    return math.hypot(imaging.blur_nm, 0.5 * min(voxel_size_nm[1:]))


def _kernel(sigma_voxels: float) -> np.ndarray:
    reach = max(1, math.ceil(3 * sigma_voxels))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_voxels, 1e-6)) ** 2)
    return (kernel / kernel.sum()).astype(np.float32)


def _blur_rows(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve the first axis, mirrored at its ends."""
    reach = len(kernel) // 2
    padded = np.pad(plane, ((reach, reach), (0, 0)), mode="symmetric")
    out = kernel[0] * padded[: len(plane)]
    for tap in range(1, len(kernel)):
        out += kernel[tap] * padded[tap : tap + len(plane)]
    return out


def _fast_length(least: int) -> int:
    """Smallest even length of at least ``least`` with no prime factor above 5."""
    length = least + least % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2
