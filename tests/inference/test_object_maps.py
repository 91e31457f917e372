import math

import numpy as np
import pytest
from scipy import ndimage

import segkit.inference.object_maps as module
from segkit.inference.object_maps import fitting_block, halo_of, objects_from_maps
from segkit.instances.label_overlaps import count_overlaps
from segkit.instances.segment_instances import InstanceSettings


def smooth(seed, shape=(10, 120, 140)):
    values = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), (1, 4, 4)).astype(np.float32)
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("method", ["distance", "centers"])
def test_a_volume_that_does_not_fit_is_told_apart_in_blocks_with_the_same_result(method, tmp_path, monkeypatch, caplog):
    maps = np.stack([smooth(0), smooth(1)], axis=-1)
    settings = InstanceSettings(method=method, threshold=0.55, seed_distance=4.0)
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
    overlaps = count_overlaps(found["whole"], np.asarray(found["blocks"]))
    assert len(overlaps.voxels) == len(overlaps.reference_ids) == len(overlaps.prediction_ids) > 5


def test_the_halo_is_in_voxels_of_each_axis():
    assert halo_of(InstanceSettings(seed_distance=5, smoothing=1), (4, 1, 0.5)) == (6, 24, 48)


@pytest.mark.parametrize("most", [10**9, 10**6, 10**5])
def test_blocks_fit_with_what_lies_around_them(most):
    shape, halo = (64, 512, 300), (2, 8, 8)
    block = fitting_block(shape, halo, most)
    assert math.prod(min(b + 2 * h, s) for b, h, s in zip(block, halo, shape, strict=True)) <= most
    if most == 10**9:
        assert block == shape


def test_blocks_are_never_smaller_than_their_halo():
    assert fitting_block((100, 100, 100), (10, 10, 10), 10) == (7, 7, 7)
