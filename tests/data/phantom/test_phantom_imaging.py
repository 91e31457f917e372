"""Noise, blur, missing wedge and grey values."""

import numpy as np
import pytest

from segkit.data.phantom import imaging as imaging_module
from segkit.data.phantom.imaging import Imaging, add_noise, blur_and_tilt, to_grey, transfer_function
from segkit.errors import InputError


def elevation_deg(shape, voxel_size_nm):
    kz, kx = (np.abs(np.fft.fftfreq(shape[a], voxel_size_nm[a])) for a in (0, 2))
    return np.rad2deg(np.arctan2(kz[:, None], kx[None, :]))


def tapered_power(volume):
    """Mean power over z and x, the faces faded out so that they do not leak."""
    fade = np.hanning(volume.shape[0])[:, None, None] * np.hanning(volume.shape[2])[None, None, :]
    return np.mean(np.abs(np.fft.fftn(volume * fade, axes=(0, 2))) ** 2, axis=1)


@pytest.mark.parametrize("voxel_size_nm", [(4.5, 4.5, 4.5), (9.0, 4.5, 4.5)])
@pytest.mark.parametrize("max_tilt_deg", [45.0, 60.0])
def test_the_missing_wedge_is_empty(voxel_size_nm, max_tilt_deg):
    volume = np.random.default_rng(0).standard_normal((64, 8, 64), dtype=np.float32)
    blur_and_tilt(volume, Imaging(blur_nm=0.0, max_tilt_deg=max_tilt_deg), voxel_size_nm)
    power, elevation = tapered_power(volume), elevation_deg(volume.shape, voxel_size_nm)
    away = np.add.outer(np.fft.fftfreq(64) ** 2, np.fft.fftfreq(64) ** 2) > 0.15**2
    missing = power[(elevation > max_tilt_deg + 6) & away].mean()
    measured = power[(elevation < max_tilt_deg - 10) & away].mean()
    assert missing < 0.02 * measured


def test_without_a_wedge_and_blur_little_changes():
    volume = np.random.default_rng(0).standard_normal((16, 8, 32), dtype=np.float32)
    power = tapered_power(volume)
    blur_and_tilt(volume, Imaging(blur_nm=0.0, max_tilt_deg=90.0), (4.5, 4.5, 4.5))
    elevation = elevation_deg(volume.shape, (4.5, 4.5, 4.5))
    ratio = tapered_power(volume) / power
    assert np.median(ratio[elevation > 70]) == pytest.approx(np.median(ratio[elevation < 20]), rel=0.25)


def test_the_mean_passes_the_wedge():
    volume = np.full((12, 20, 30), 0.37, np.float32)
    blur_and_tilt(volume, Imaging(), (4.5, 4.5, 4.5))
    assert np.allclose(volume, 0.37, atol=1e-5)


def test_the_wedge_runs_along_y():
    """What extends along y keeps its place in z; what extends along x is smeared over all of z."""
    along_y, along_x = (np.zeros((32, 48, 48), np.float32) for _ in range(2))
    along_y[16, :, 24] = 1
    along_x[16, 24, :] = 1
    for volume in (along_y, along_x):
        blur_and_tilt(volume, Imaging(), (4.5, 4.5, 4.5))
    assert along_y[16, 24, 24] > 8 * np.abs(along_y[8, 24, 24])
    assert along_x[16, 24, 24] == pytest.approx(along_x[8, 24, 24], rel=0.05)


def test_rows_are_filtered_alike_in_blocks_of_any_size(monkeypatch):
    volume = np.random.default_rng(1).standard_normal((10, 33, 40), dtype=np.float32)
    whole, parts = volume.copy(), volume.copy()
    blur_and_tilt(whole, Imaging(), (4.5, 4.5, 4.5))
    monkeypatch.setattr(imaging_module, "BLOCK_VOXELS", 20 * 180 * 5)
    seen = []
    blur_and_tilt(parts, Imaging(), (4.5, 4.5, 4.5), lambda done, total: seen.append((done, total)))
    assert len(seen) > 3 and seen[-1] == (33, 33)
    assert np.allclose(whole, parts, atol=1e-5)


def noise_in_tomogram(voxel_nm, **options):
    imaging = Imaging(**options)
    volume = np.full((24, 96, 96), 0.40, np.float32)
    add_noise(volume, np.random.default_rng(0), imaging, (voxel_nm,) * 3)
    blur_and_tilt(volume, imaging, (voxel_nm,) * 3)
    return volume - 0.40


def test_noise_has_the_strength_asked_for_at_the_reference_voxel():
    assert noise_in_tomogram(4.5, noise=0.1).std() == pytest.approx(0.1, rel=0.05)
    assert noise_in_tomogram(4.5, noise=0.2).std() == pytest.approx(0.2, rel=0.05)
    assert noise_in_tomogram(4.5, noise=0.0).std() < 1e-6


def test_noise_falls_with_larger_voxels_and_is_correlated():
    assert noise_in_tomogram(9.0).std() < 0.7 * noise_in_tomogram(4.5).std() < noise_in_tomogram(2.255).std()
    noise = noise_in_tomogram(2.255)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) > 0.5 * noise.var()


def test_blur_spreads_a_point_by_its_deviation_in_nm():
    for voxel_nm in (1.0, 2.0):
        volume = np.zeros((41, 81, 81), np.float32)
        volume[20, 40, 40] = 1
        blur_and_tilt(volume, Imaging(blur_nm=6.0, max_tilt_deg=90.0), (voxel_nm,) * 3)
        positions = (np.arange(81) - 40) * voxel_nm
        for axis in (1, 2):
            profile = volume.sum(axis=tuple({0, 1, 2} - {axis}))
            assert np.sqrt(np.sum(profile * positions**2)) == pytest.approx(np.hypot(6.0, voxel_nm / 2), rel=0.03)


def test_dense_material_is_dark_and_values_are_clipped():
    grey = to_grey(np.array([[[0.2, 0.4, 0.9, 9.0, -9.0]]], np.float32), contrast=1.0)
    assert grey.dtype == np.int8
    assert grey[0, 0, 0] > grey[0, 0, 1] == 0 > grey[0, 0, 2]
    assert grey[0, 0, 3] == -128 and grey[0, 0, 4] == 127


@pytest.mark.parametrize(
    ("name", "value"), [("contrast", 0.0), ("noise", -0.1), ("blur_nm", float("nan")), ("max_tilt_deg", 91.0)]
)
def test_imaging_refuses_values_without_a_meaning(name, value):
    with pytest.raises(InputError, match=rf"phantom: {name} .*; give a number from"):
        Imaging(**{name: value})


def test_the_transfer_is_one_at_zero_frequency():
    for tilt in (30.0, 60.0, 90.0):
        transfer = transfer_function((8, 8), (4.5, 4.5), 3.0, tilt)
        assert transfer[0, 0] == 1 and transfer.max() <= 1 and transfer.min() >= 0
