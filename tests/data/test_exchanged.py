"""Masks that were given with the wrong tomograms are noticed."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segkit.data import exchanged
from segkit.data.exchanged import exchanged_masks
from segkit.data.sources import Source, open_source
from segkit.volumes.files import save_volume
from segkit.volumes.volume import Volume


@pytest.fixture(autouse=True)
def blobs(tmp_path, monkeypatch):
    """Three noisy images of blobs, T0 to T2, and their masks, M0 to M2."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(3):
        field = gaussian_filter(rng.normal(size=(4, 256, 256)), (0, 8, 8))
        mask = (field > 1.5 * field.std()).astype(np.uint8)
        image = (60.0 * mask + rng.normal(0, 15, mask.shape)).clip(-128, 127).astype(np.int8)
        for name, array in (("T", image), ("M", mask)):
            save_volume(f"{name}{number}.mrc", Volume(array=array, voxel_size_nm=(5.0, 2.0, 2.0)))


def opened(*masks):
    return [
        open_source(Source(tomogram=f"T{number}.mrc", mask=f"M{mask}.mrc", train="1-3", validation="0"), tell=False)
        for number, mask in enumerate(masks)
    ]


def test_masks_are_laid_on_the_tomograms_that_they_fit():
    found = exchanged_masks(opened(1, 0))
    assert found.keys() == {0, 1}
    assert found[0].startswith("the mask fits another tomogram clearly better, T1.mrc: ")
    assert "T0.mrc" in found[1] and "give masks in the order of their tomograms" in found[1]
    assert ["T1.mrc" in line for line in exchanged_masks(opened(1, 2, 0)).values()] == [True, False, False]


def test_where_masks_fit_nothing_is_computed(monkeypatch):
    monkeypatch.setattr(exchanged, "mask_orientation", None)
    assert exchanged_masks(opened(0, 1, 2)) == {}
    assert exchanged_masks(opened(0, 1, 1)) == {}  # one alone
    unknown = [dataclasses.replace(volume, orientation=None) for volume in opened(1, 0)]
    assert exchanged_masks(unknown) == {}


def test_many_volumes_are_not_compared(monkeypatch):
    volumes = opened(1, 0)
    assert exchanged_masks([*volumes, volumes[0]])
    assert exchanged_masks(3 * volumes) == {}
    monkeypatch.setattr(exchanged, "_MOST", 6)
    assert len(exchanged_masks(3 * volumes)) == 6


def test_masks_of_something_else_are_not_told_of():
    other = gaussian_filter(np.random.default_rng(9).normal(size=(4, 256, 256)), (0, 8, 8)) > 0.03
    for number in (0, 1):
        save_volume(f"M{number}.mrc", Volume(array=np.roll(other, 40 * number, axis=2).view(np.uint8)), overwrite=True)
    assert exchanged_masks(opened(0, 1)) == {}
