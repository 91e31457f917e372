import numpy as np
import pytest
from skimage.measure import label, regionprops

from segkit.instances.object_sizes import object_sizes


def test_sizes_and_centres_are_those_of_scikit_image():
    labels = label(np.random.default_rng(0).random((7, 20, 24)) < 0.3, connectivity=1)
    labels[labels == 3] = 0  # a gap
    found, expected = object_sizes(labels.astype(np.uint16)), regionprops(labels)
    assert len(expected) > 50
    np.testing.assert_array_equal(found.ids, [one.label for one in expected])
    np.testing.assert_array_equal(found.voxels, [one.area for one in expected])
    np.testing.assert_allclose(found.centers, [one.centroid for one in expected], atol=1e-9)


def test_without_objects_there_is_no_row():
    found = object_sizes(np.zeros((2, 3, 4), np.uint8))
    assert (found.ids.shape, found.voxels.shape, found.centers.shape) == ((0,), (0,), (0, 3))


@pytest.mark.parametrize("labels", [np.zeros((3, 4), int), np.zeros((1, 3, 4))])
def test_other_arrays_are_refused(labels):
    with pytest.raises(ValueError, match=r"`labels` must be whole numbers \(z, y, x\)"):
        object_sizes(labels)
