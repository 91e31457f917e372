"""Make a phantom: a seeded tomogram of a cell with the masks of five structures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from segkit.data.phantom.imaging import Imaging, add_noise, blur_and_tilt, to_grey
from segkit.data.phantom.scene import CODES, STRUCTURES, fill, lay_out, random_stream
from segkit.errors import InputError

LARGEST_VOXEL_NM = 12.5  # half a microtubule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phantom:
    """A made-up tomogram and what it shows.

    Args:
        tomogram: int8, shape (z, y, x), dense material dark (low).
        masks: uint8 arrays of 0 and 1 by structure name, shape (z, y, x), disjoint.
        voxel_size_nm: Voxel size in nm (z, y, x).
        seed: What it was drawn from.
    """

    tomogram: np.ndarray
    masks: dict[str, np.ndarray]
    voxel_size_nm: tuple[float, float, float]
    seed: int


def make_phantom(
    *,
    shape: Sequence[int] = (76, 2048, 2048),
    voxel_size_nm: float | Sequence[float] = 2.255,
    seed: int = 0,
    structures: Sequence[str] = STRUCTURES,
    centrioles: int | None = None,
    imaging: Imaging | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Phantom:
    """Draw a cell at an immunological synapse and its tomogram, true to scale at any voxel size.

    Everything is defined in nanometres: microtubules 25 nm wide with a lumen of 16 nm; centrioles as barrels of
    nine triplets, 204 to 246 nm wide and 360 to 440 nm long; granules of 320 to 660 nm with a dense core;
    Golgi stacks of 4 to 7 cisternae; a cleft of 18 to 42 nm between the cell and its neighbour. The masks are
    painted as annotators do: microtubules and centrioles with their lumen (the whole barrel), granules with
    their membrane, the Golgi stack with its narrow gaps, the cleft between the membranes. Organelles that no
    mask shows, ribosomes and filaments are around them. Objects keep apart and are cut by the volume's faces. A
    structure that is left out of ``structures`` is not drawn at all.

    Args:
        shape: Voxels (z, y, x).
        voxel_size_nm: One size or (z, y, x), in nm, at most 12.5.
        seed: Same arguments, same arrays; another seed, another layout of the same texture.
        structures: Which of `STRUCTURES` to draw.
        centrioles: How many. By default a pair at right angles, in fields under 1500 nm a single one. More
            are drawn as further pairs, their angles to the z axis spread evenly.
        imaging: Contrast, noise, point spread and tilt range; `Imaging()` by default.
        progress: Called as ``progress(steps done, steps)``.

    Returns:
        The phantom.

    Raises:
        InputError: If an argument has no meaning, or the field has no room for what is asked.
    """
    shape, voxel_size_nm = _checked_grid(shape, voxel_size_nm)
    structures = _checked_structures(structures)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"phantom: seed {seed!r}; give a whole number, 0 or more")
    if centrioles is not None and (not isinstance(centrioles, (int, np.integer)) or centrioles < 1):
        raise InputError(f"phantom: {centrioles!r} centrioles; give a whole number, 1 or more")
    imaging = imaging or Imaging()

    def report(done: int) -> None:
        if progress is not None:
            progress(done, 100)

    report(0)
    canvas = lay_out(shape, voxel_size_nm, int(seed), structures, centrioles)
    report(30)
    fill(canvas, int(seed))
    report(60)
    add_noise(canvas.density, random_stream(int(seed), "noise"), imaging, voxel_size_nm)
    report(65)
    blur_and_tilt(canvas.density, imaging, voxel_size_nm, lambda done, total: report(65 + 34 * done // total))
    tomogram = to_grey(canvas.density, imaging.contrast)
    # Owners become masks: 1 where the structure's code is, as bytes without a copy.
    masks = {name: (canvas.owner == CODES[name]).view(np.uint8) for name in structures}
    report(100)
    return Phantom(tomogram=tomogram, masks=masks, voxel_size_nm=voxel_size_nm, seed=int(seed))


def _checked_grid(
    shape: Sequence[int], voxel_size_nm: float | Sequence[float]
) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    sizes = np.broadcast_to(np.asarray(voxel_size_nm, float), (3,)) if np.size(voxel_size_nm) in (1, 3) else None
    if sizes is None or not np.all((sizes > 0) & (sizes <= LARGEST_VOXEL_NM)):
        raise InputError(
            f"phantom: voxel size {voxel_size_nm!r}; give one number or (z, y, x) in nm, above 0 and "
            f"at most {LARGEST_VOXEL_NM} (half a microtubule)"
        )
    counts = np.asarray(shape)
    if counts.shape != (3,) or counts.dtype.kind not in "iu" or np.any(counts < 1):
        raise InputError(f"phantom: shape {shape!r}; give three whole numbers of voxels (z, y, x)")
    return tuple(int(c) for c in counts), tuple(float(s) for s in sizes)


def _checked_structures(structures: Sequence[str]) -> tuple[str, ...]:
    names = (structures,) if isinstance(structures, str) else tuple(structures)
    unknown = [name for name in names if name not in STRUCTURES]
    if unknown or not names:
        found = ", ".join(map(repr, names)) or "none"
        raise InputError(f"phantom: structures {found}; choose among {', '.join(STRUCTURES)}")
    return tuple(dict.fromkeys(names))
