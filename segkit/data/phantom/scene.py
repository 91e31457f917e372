"""The layout of a phantom: which objects, how many, in which order."""

from __future__ import annotations

import math

import numpy as np

from segkit.data.phantom.canvas import Canvas
from segkit.data.phantom.centriole import place_centrioles
from segkit.data.phantom.cytoplasm import DENSITY, add_unevenness, scatter_filaments, scatter_ribosomes
from segkit.data.phantom.golgi import place_golgi
from segkit.data.phantom.granules import place_granules
from segkit.data.phantom.microtubules import place_microtubules
from segkit.data.phantom.organelles import place_organelles
from segkit.data.phantom.synapse import draw_cleft, paint_synapse
from segkit.errors import InputError

STRUCTURES = ("synapse", "microtubules", "centriole", "granules", "golgi")
CODES = {name: number + 1 for number, name in enumerate(STRUCTURES)}
MINIMUM_FIELD_NM = {"synapse": 200, "microtubules": 120, "centriole": 300, "granules": 360, "golgi": 360}
CROWDING = 1.35  # several objects lie apart
HOPELESS = 0.6  # of the needed side: not worth a search
PAIR_FIELD_NM = 1500.0  # from here on centrioles come in pairs by default
ATTEMPTS = 24  # in the smallest field some seeds need more than 8
STREAMS = ("layout", "organelles", "texture", "noise")


def random_stream(seed: int, name: str, attempt: int = 0) -> np.random.Generator:
    """Return the source of randomness of one step of the work; the steps do not shift each other."""
    return np.random.default_rng([seed, STREAMS.index(name), attempt])


def lay_out(
    shape: tuple[int, int, int],
    voxel_size_nm: tuple[float, float, float],
    seed: int,
    structures: tuple[str, ...],
    centrioles: int | None,
) -> Canvas:
    """Paint the structures into empty cytoplasm, in another layout where one of them found no room.

    Args:
        shape: Voxels (z, y, x).
        voxel_size_nm: (z, y, x) in nm.
        seed: Which layout.
        structures: Names out of `STRUCTURES`.
        centrioles: How many; None for the default.

    Returns:
        The canvas; the owner of a structure's voxels is ``CODES[name]``.

    Raises:
        InputError: If a structure finds no room.
    """
    extent_nm = [n * size for n, size in zip(shape, voxel_size_nm, strict=True)]
    missing = tuple(name for name in structures if min(extent_nm[1:]) < MINIMUM_FIELD_NM[name])
    needed = needed_field_nm(structures, centrioles)
    # Far too small a field is refused at once, and not after many attempts.
    if not missing and math.sqrt(extent_nm[1] * extent_nm[2]) < HOPELESS * needed:
        missing = structures
    for attempt in range(0 if missing else ATTEMPTS):
        canvas = Canvas(shape, voxel_size_nm, DENSITY)
        rng = random_stream(seed, "layout", attempt)
        # The first attempts keep to the cell, later ones use the far side of the synapse too.
        missing = _place(canvas, rng, structures, centrioles, both_sides=attempt >= 2)
        if not missing:
            return canvas
    names = [f"{centrioles} centrioles" if name == "centriole" and centrioles else name for name in missing]
    raise InputError(
        f"phantom: the field of {extent_nm[1]:.0f} x {extent_nm[2]:.0f} nm (y, x) has no room for "
        f"{', '.join(names)}; give at least {needed} x {needed} nm (shape times voxel size), or ask for less"
    )


def needed_field_nm(structures: tuple[str, ...], centrioles: int | None) -> int:
    """Side of a square field, in nm, in which the structures find room for all seeds that were tried."""
    counts = {"centriole": centrioles or 1}
    area = sum(counts.get(name, 1) * MINIMUM_FIELD_NM[name] ** 2 for name in structures)
    alone = sum(counts.get(name, 1) for name in structures) == 1
    return 10 * math.ceil((1.0 if alone else CROWDING) * math.sqrt(area) / 10)


def _place(
    canvas: Canvas,
    rng: np.random.Generator,
    structures: tuple[str, ...],
    centrioles: int | None,
    both_sides: bool,
) -> tuple[str, ...]:
    """Place the structures, large ones first; returns the names of those that found no room.

    The organelles lie in the cell; where that has no room, on ``both_sides`` of the synapse.
    """
    area = canvas.area_um2
    placed: dict[str, bool] = {}
    inside, origin = None, None
    # The cleft first, as it says where the cell is; centrioles before microtubules, which point away from them.
    if "synapse" in structures:
        cleft = draw_cleft(canvas, rng)
        placed["synapse"] = paint_synapse(canvas, cleft, CODES["synapse"]) > 0
        inside = None if both_sides else cleft.in_cell
    if "centriole" in structures:
        count = centrioles or (2 if canvas.field_nm >= PAIR_FIELD_NM else 1)
        barrels = place_centrioles(canvas, rng, count, CODES["centriole"], inside)
        placed["centriole"] = len(barrels) >= (centrioles or 1)
        origin = barrels[0].center_zyx if barrels else None
    if "golgi" in structures:
        placed["golgi"] = place_golgi(canvas, rng, max(1, round(area / 9)), CODES["golgi"], inside) > 0
    if "granules" in structures:
        count = max(1, round(0.9 * area))
        placed["granules"] = place_granules(canvas, rng, count, CODES["granules"], inside) > 0
    if "microtubules" in structures:
        count = max(3, round(4.3 * area))
        placed["microtubules"] = place_microtubules(canvas, rng, count, CODES["microtubules"], origin) > 0
    return tuple(name for name in structures if not placed[name])


def fill(canvas: Canvas, seed: int) -> None:
    """Paint what no mask shows: other organelles, filaments, ribosomes, uneven protein."""
    rng = random_stream(seed, "organelles")
    place_organelles(canvas, rng)
    scatter_filaments(canvas, rng)
    scatter_ribosomes(canvas, rng)
    rng = random_stream(seed, "texture")
    add_unevenness(canvas, rng, 450.0, 0.035)
    add_unevenness(canvas, rng, 13.0, 0.09)
