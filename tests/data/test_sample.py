"""The packaged real sample is there, with its licence, and can be learnt from."""

import pytest

from segkit.data.sample import sample_path
from segkit.volumes.checks import check_binary_mask, check_same_shape
from segkit.volumes.files import open_volume


def test_tomogram_and_mask():
    tomogram = open_volume(sample_path("tardis_microtubules/tomogram.tif"))
    mask = open_volume(sample_path("tardis_microtubules/mask.tif"))
    assert tomogram.shape == (96, 96, 96)
    check_same_shape(mask, tomogram)
    counts = check_binary_mask(mask)
    assert (counts.foreground_value, sum(counts.foreground)) == (1, 5895)


def test_source_and_licence_lie_beside_it():
    folder = sample_path("tardis_microtubules")
    assert "Robert Kiewisz" in (folder / "LICENSE").read_text()
    assert "MIT" in (folder / "README.md").read_text()


def test_no_such_sample():
    with pytest.raises(ValueError, match=r"`name` must be one of tardis_microtubules/mask\.tif, .*Received"):
        sample_path("golgi")
