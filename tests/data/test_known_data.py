"""Phantoms and simulated stacks of a seed stay what published results were measured on.

Means of blocks and counts of voxels are compared, and not every voxel: processors round differently. After a wanted
change ``python tests/data/test_known_data.py`` writes the known values again, and results are measured again.
"""

import json
import pathlib

import numpy as np
import pytest

from segkit.data.cell_simulation import MDA231, CellSimulation
from segkit.data.phantom.generate import make_phantom
from segkit.data.simulated_cells import simulate_cells

FILE = pathlib.Path(__file__).with_name("known_data.json")
SMALL = CellSimulation(shape=(12, 64, 64), count=5, spacing=1.2, voxel_size_um=(1.0, 0.5, 0.5))
STACKS = {"small": SMALL, "mda231": MDA231, "defaults": CellSimulation(shape=(16, 96, 96), count=4)}


def block_means(image, block):
    """Return the means of blocks along (z, y, x), with two digits; the rest at the ends is left out."""
    sizes = [size // step for size, step in zip(image.shape, block, strict=True)]
    cut = image[tuple(slice(count * step) for count, step in zip(sizes, block, strict=True))]
    pairs = [number for pair in zip(sizes, block, strict=True) for number in pair]
    return np.round(cut.reshape(pairs).mean((1, 3, 5)), 2).ravel().tolist()


def seen_phantom(seed):
    phantom = make_phantom(shape=(8, 256, 256), voxel_size_nm=(12.0, 9.0, 9.0), seed=seed)
    counts = [mask.sum((1, 2)).tolist() for mask in phantom.masks.values()]
    spread = [float(round(float(one.std()), 2)) for one in phantom.tomogram]
    return {"means": block_means(phantom.tomogram, (8, 32, 32)), "spread": spread, "voxels": counts}


def seen_stack(settings):
    image, labels = simulate_cells(settings, seed=2)
    block = (image.shape[0] // 2, image.shape[1] // 4, image.shape[2] // 4)
    return {"means": block_means(image, block), "voxels": np.bincount(labels.ravel()).tolist()}


def assert_close(seen, known):
    np.testing.assert_allclose(seen["means"], known["means"], atol=0.05)
    np.testing.assert_allclose(seen["voxels"], known["voxels"], atol=3)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_phantom_is_the_one_that_is_known(seed):
    seen, known = seen_phantom(seed), json.loads(FILE.read_text())[f"phantom-{seed}"]
    np.testing.assert_allclose(seen["spread"], known["spread"], atol=0.05)
    assert_close(seen, known)


@pytest.mark.parametrize("name", STACKS)
def test_a_simulated_stack_is_the_one_that_is_known(name):
    assert_close(seen_stack(STACKS[name]), json.loads(FILE.read_text())[name])


if __name__ == "__main__":
    known = {f"phantom-{seed}": seen_phantom(seed) for seed in (0, 5)}
    known |= {name: seen_stack(settings) for name, settings in STACKS.items()}
    FILE.write_text(json.dumps(known) + "\n")
