import numpy as np
import pytest
from skimage.measure import label, regionprops

from segkit.instances.object_sizes import huge_object, huge_object_warning, object_sizes


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


@pytest.mark.parametrize(
    ("sizes", "num_voxels", "expected"),
    [
        ({1: 10, 2: 12, 255: 240}, 1000, 255),
        ({1: 10, 2: 12, 255: 239}, 1000, None),  # less than 20 times as large as the next
        ({1: 10, 2: 12, 255: 240}, 4800, 255),
        ({1: 10, 2: 12, 255: 240}, 4801, None),  # less than 5 % of the voxels
        ({7: 900, 255: 40_000}, 50_000, None),  # two alone
        ({255: 900}, 1000, None),
        ({}, 1000, None),
        ({3: 5000, 1: 12, 2: 7, 9: 12}, 9000, 3),  # not the highest id
    ],
)
def test_an_object_far_larger_than_all_others(sizes, num_voxels, expected):
    assert huge_object(sizes, num_voxels) == expected
    assert (huge_object_warning(sizes, num_voxels) is None) == (expected is None)


def test_what_is_said_of_it():
    assert huge_object_warning({1: 10, 2: 30, 255: 1210}, 2000) == (
        "the object 255 has 97 % of the voxels with an id, 40 times as many as the next; where it means unannotated, "
        "pass --ignore-value 255"
    )
