"""Phantoms to try a recipe on: several to train on, one to choose the checkpoint, one to score."""

from __future__ import annotations

import pathlib

from segkit.data.sources import Source, write_slices
from segkit.experiments.settings import TINY
from segkit.progress import ProgressLine

VOXEL_SIZE_NM = 9.02  # pixels of 2.255 nm, binned by four: 128 px show what 512 px show unbinned
PATCH_PX = 128

SIMULATED = (
    "Tomograms are phantoms (simulated). The scores show that the program works, not how well it will do on real data."
)

_SHAPE = (4, 160, 160) if TINY else (8, 512, 512)
_CENTRIOLES = None if TINY else 16  # a cell has two; of two a network learns the place, not the look
_NOISE = 0.07
# Neighbouring slices show nearly the same: three thin phantoms teach more than one thick one.
_TRAIN, _VALIDATION, _TEST = (0, 1, 2), 3, 1000
_USES = {**dict.fromkeys(_TRAIN, "train"), _VALIDATION: "validation", _TEST: "test"}


def demo_phantoms(
    folder: pathlib.Path, names: list[str], seed: int
) -> tuple[dict[str, tuple[Source, ...]], tuple[str, str]]:
    """Say what phantoms are for, and where ``make_demo_phantoms`` writes them.

    Args:
        folder: Where they go, one folder per seed.
        names: Structures to return sources of; every phantom holds all five.
        seed: Seed of the first; the others are counted from it.

    Returns:
        Sources of each structure, and the notices for readers of the results; the last one is about the split.
    """
    everything = write_slices(range(_SHAPE[0]))
    places = {offset: folder / f"seed-{seed + offset}" for offset in _USES}
    sources = {
        name: tuple(
            Source(tomogram=str(place / "tomogram.mrc"), mask=str(place / f"{name}.mrc"), **{_USES[offset]: everything})
            for offset, place in places.items()
        )
        for name in names
    }
    trained = ", ".join(str(seed + offset) for offset in _TRAIN)
    split = (
        f"Trained on phantoms of the seeds {trained}, checkpoint chosen on seed {seed + _VALIDATION}, scored on seed "
        f"{seed + _TEST}."
    )
    return sources, (SIMULATED, split)


def make_demo_phantoms(folder: pathlib.Path, seed: int) -> None:
    """Make the phantoms that ``demo_phantoms`` names, and write each as a tomogram and a mask per structure."""
    # Here, not above: SciPy takes longer to load than --help and mistakes should.
    from segkit.data.phantom.generate import make_phantom
    from segkit.data.phantom.imaging import Imaging
    from segkit.data.phantom.write import write_phantom

    for number in (seed + offset for offset in _USES):
        phantom = make_phantom(
            shape=_SHAPE,
            voxel_size_nm=VOXEL_SIZE_NM,
            seed=number,
            centrioles=_CENTRIOLES,
            imaging=Imaging(noise=_NOISE),
            progress=ProgressLine(f"making the phantom of seed {number}", "%"),
        )
        write_phantom(phantom, folder / f"seed-{number}", overwrite=True)
