import math

import numpy as np
import pytest
from partition import is_same_partition

import segkit.instances.objects_from_maps as module
from segkit.data.cell_simulation import CellSimulation
from segkit.data.simulated_cells import simulate_cells
from segkit.instances.cell_centers import find_centers
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.objects_from_maps import fitting_block, halo_of, objects_from_maps
from segkit.targets.resized_annotations import heatmap_slices


@pytest.fixture(scope="module")
def maps():
    """Cells that press against each other, and a heatmap of their centres."""
    simulation = CellSimulation(shape=(10, 120, 140), count=24, voxel_size_um=(2.0, 1.0, 1.0), spacing=0.8)
    _, labels = simulate_cells(simulation, 0)
    centers = find_centers(labels, voxel_size=(2, 1, 1))
    heat = heatmap_slices(labels, 140, voxel_size=(2, 1, 1))
    assert len(centers.points) > 20
    small = np.stack([resized_rows(heat[z], 120) for z in range(10)])
    return np.stack([labels > 0, small], axis=-1).astype(np.float32)


def resized_rows(image, rows):
    return image[np.linspace(0, len(image) - 1, rows).round().astype(int)] / 255


@pytest.mark.parametrize("method", ["distance", "centers"])
def test_a_volume_that_does_not_fit_is_told_apart_in_blocks_alike(maps, method, tmp_path, monkeypatch, caplog):
    settings = InstanceSettings(method=method, seed_distance=4.0)
    read = (lambda z: maps[z]) if method == "centers" else (lambda z: maps[z, ..., 0])
    monkeypatch.setattr(module, "resident_bytes", lambda: 0)
    found = {}
    with caplog.at_level("INFO"):
        for name, max_ram in (("whole", None), ("blocks", 8_000_000)):
            found[name] = objects_from_maps(
                read, maps.shape[:3], settings, tmp_path / name, voxel_size=(2, 1, 1), max_ram=max_ram
            )
    assert not (tmp_path / "whole").exists()
    assert isinstance(found["blocks"], np.memmap)
    assert "in blocks of 10 x 30 x 35 voxels with 10 x 20 x 20 around them" in caplog.text
    assert found["whole"].max() > 15
    assert is_same_partition(found["whole"], np.asarray(found["blocks"]))


@pytest.mark.parametrize("slice_wise", [False, True])
def test_a_bound_that_not_even_a_block_keeps_is_told(maps, slice_wise, tmp_path, monkeypatch, caplog):
    settings = InstanceSettings(seed_distance=4.0, slice_wise=slice_wise)
    monkeypatch.setattr(module, "resident_bytes", lambda: 0)
    found = {}
    with caplog.at_level("INFO"):
        for name, max_ram in (("whole", None), ("blocks", 1000)):
            folder = tmp_path / name
            ask = {"voxel_size": (2, 1, 1), "max_ram": max_ram}
            found[name] = objects_from_maps(lambda z: maps[z, ..., 0], maps.shape[:3], settings, folder, **ask)
            assert ("but the memory bound leaves 0.00 GiB" in caplog.text) == (name == "blocks")
    assert ("slice by slice on disk" in caplog.text) == slice_wise
    assert is_same_partition(found["whole"], np.asarray(found["blocks"]))


def test_the_halo_is_in_voxels_of_each_axis():
    assert halo_of(InstanceSettings(seed_distance=5, smoothing=1), (4, 1, 0.5)) == (6, 24, 48)
    assert halo_of(InstanceSettings(seed_distance=5, smoothing=1), (7, 5, 1)) == (4, 5, 24)  # no less


@pytest.mark.parametrize("most", [10**9, 10**6, 10**5])
def test_blocks_fit_with_what_lies_around_them(most):
    shape, halo = (64, 512, 300), (2, 8, 8)
    block = fitting_block(shape, halo, most)
    assert math.prod(min(b + 2 * h, s) for b, h, s in zip(block, halo, shape, strict=True)) <= most
    if most == 10**9:
        assert block == shape


def test_blocks_no_longer_than_their_halo_are_not_cut_further():
    assert fitting_block((100, 100, 100), (10, 10, 10), 10) == (7, 7, 7)
