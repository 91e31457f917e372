"""Simulated stacks of cells to try a recipe on: five to train on, one to choose the checkpoint, two to score."""

from __future__ import annotations

import pathlib

from segkit.data.cell_simulation import CellSimulation
from segkit.data.sources import Source, write_slices
from segkit.experiments.settings import TINY

SIMULATED = "Stacks are simulated. The scores show that the program works, not how well it will do on real data."

_STACKS = {"train": 5, "validation": 1, "test": 2}
_TINY_SIMULATION = CellSimulation(shape=(5, 64, 64), count=3, voxel_size_um=(2.0, 0.8, 0.8))


def demo_cells(
    folder: pathlib.Path, simulation: CellSimulation, seed: int
) -> tuple[tuple[Source, ...], tuple[str, str]]:
    """Say what simulated stacks are for, and where ``simulate_demo_cells`` writes them.

    Args:
        folder: Where they go: sequence 01 to train on and to choose the checkpoint, 02 to score.
        simulation: What cells and microscope are like.
        seed: Seed of the first; the others are counted from it, those of 02 from a thousand above.

    Returns:
        Sources, and the notices for readers of the results; the last one is about the split.
    """
    everything = write_slices(range(_sized(simulation).shape[0]))
    sources, seeds = [], {use: [] for use in _STACKS}
    for use, sequence, frame, number in _stacks(seed):
        seeds[use].append(str(number))
        sources.append(
            Source(
                tomogram=str(folder / sequence / f"t{frame:03d}.tif"),
                mask=str(folder / f"{sequence}_GT" / "SEG" / f"man_seg{frame:03d}.tif"),
                **{use: everything},
            )
        )
    shown = {use: ", ".join(numbers) for use, numbers in seeds.items()}
    split = (
        f"Trained on stacks of the seeds {shown['train']}, checkpoint chosen on seed {shown['validation']}, scored on "
        f"seeds {shown['test']}."
    )
    return tuple(sources), (SIMULATED, split)


def simulate_demo_cells(folder: pathlib.Path, simulation: CellSimulation, seed: int) -> None:
    """Simulate the stacks that ``demo_cells`` names, and write them in the layout of the Cell Tracking Challenge."""
    # Here, not above: SciPy takes longer to load than --help and mistakes should.
    from segkit.data.simulated_cells import simulate_cells
    from segkit.volumes.challenge import write_frame
    from segkit.volumes.volume import Volume

    simulation = _sized(simulation)
    size_nm = tuple(1000 * extent for extent in simulation.voxel_size_um)
    for _, sequence, frame, number in _stacks(seed):
        volumes = [Volume(array=array, voxel_size_nm=size_nm) for array in simulate_cells(simulation, number)]
        write_frame(folder, frame, *volumes, sequence=sequence, overwrite=True)


def _sized(simulation: CellSimulation) -> CellSimulation:
    return _TINY_SIMULATION if TINY else simulation


def _stacks(seed: int) -> list[tuple[str, str, int, int]]:
    """Return use, sequence, frame and seed of every stack."""
    found = []
    for use, count in _STACKS.items():
        for number in range(count):
            # Validation follows training in sequence 01; the test has a sequence of its own.
            frame = number + (_STACKS["train"] if use == "validation" else 0)
            is_test = use == "test"
            found.append((use, "02" if is_test else "01", frame, seed + frame + (1000 if is_test else 0)))
    return found
