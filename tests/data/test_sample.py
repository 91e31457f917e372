"""The packaged real samples are there, with their licences, and can be learnt from."""

import pytest

from segkit.data.sample import sample_path
from segkit.volumes.checks import check_binary_mask, check_same_shape
from segkit.volumes.files import open_volume
from segkit.volumes.label_checks import check_labels


def test_tomogram_and_mask():
    tomogram = open_volume(sample_path("tardis_microtubules/tomogram.tif"))
    mask = open_volume(sample_path("tardis_microtubules/mask.tif"))
    assert tomogram.shape == (96, 96, 96)
    check_same_shape(mask, tomogram)
    counts = check_binary_mask(mask)
    assert (counts.foreground_value, sum(counts.foreground)) == (1, 5895)


def test_images_and_labels_of_three_classes():
    images = open_volume(sample_path("hela_nucleoli/images.tif"))
    labels = open_volume(sample_path("hela_nucleoli/labels.tif"))
    assert images.shape == (15, 320, 320)
    check_same_shape(labels, images)
    assert check_labels(labels).num_classes == 3
    assert (labels.array[:] == 1).any(axis=(1, 2)).all(), "every image shows all classes"


@pytest.mark.parametrize(
    ("sample", "holder"), [("tardis_microtubules", "Robert Kiewisz"), ("hela_nucleoli", "anpham184")]
)
def test_source_and_licence_are_beside_it(sample, holder):
    folder = sample_path(sample)
    assert holder in (folder / "LICENSE").read_text()
    assert holder in (folder / "README.md").read_text()
    assert "MIT" in (folder / "README.md").read_text()


def test_no_such_sample():
    with pytest.raises(ValueError, match=r"`name` must be one of hela_nucleoli/images\.tif, .*Received"):
        sample_path("golgi")
