import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from segkit.instances.cell_centers import find_centers, find_centers_of_slices, render_heatmap

WHOLE = (slice(0, 20), slice(0, 30))


def ring():
    """A C-shaped object whose centroid lies outside it, and a small square."""
    labels = np.zeros((1, 20, 30), np.uint16)
    y, x = np.mgrid[:20, :30]
    radius = np.hypot(y - 10, x - 10)
    labels[0, (radius > 4) & (radius < 9) & (x < 15)] = 7
    labels[0, 3:6, 22:25] = 300
    return labels


def test_a_centre_lies_inside_its_object_even_where_the_centroid_does_not():
    labels = ring()
    centers = find_centers(labels, voxel_size=(1, 1, 1))
    assert [int(labels[tuple(point)]) for point in centers.points] == [7, 300]
    assert centers.points[1].tolist() == [0, 4, 23]
    assert centers.radii[1] == 2


def test_distances_are_in_space_and_not_in_voxels():
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[2:7, 1:8, 1:8] = 1
    assert find_centers(labels, voxel_size=(1, 1, 1)).radii[0] == 3
    assert find_centers(labels, voxel_size=(5, 1, 1)).radii[0] == 4
    assert find_centers(labels, voxel_size=(1, 0.5, 1)).radii[0] == 2


def test_objects_that_touch_end_where_the_other_begins():
    labels = np.zeros((1, 5, 12), np.uint8)
    labels[0, :, :5], labels[0, :, 5:] = 1, 2
    centers = find_centers(labels, voxel_size=(1, 1, 1))
    assert centers.points[:, 2].tolist() == [0, 11]  # the border of the volume is no surface
    assert centers.radii.tolist() == [5, 7]


def test_the_centre_of_a_flat_object_is_its_middle():
    """Every voxel of a thin disc that is deep enough is as deep as any other."""
    y, x = np.mgrid[:81, :81]
    disc = np.repeat((np.hypot(y - 40, x - 40) < 25)[None], 5, axis=0).astype(np.uint8)
    stack = np.zeros((9, 81, 81), np.uint8)
    stack[2:7] = disc
    assert find_centers(stack, voxel_size=(1, 1, 1)).points.tolist() == [[4, 40, 40]]
    assert find_centers(disc[:1], voxel_size=(5, 1, 1)).points.tolist() == [[0, 40, 40]]


def test_slices_that_were_annotated_one_by_one_have_centres_of_their_own():
    stack = np.zeros((5, 30, 30), np.uint16)
    stack[1, 5:16, 5:16] = stack[3, 10:21, 12:23] = 8
    centers = find_centers_of_slices(stack, voxel_size=(6, 1, 1))
    assert centers.points.tolist() == [[1, 10, 10], [3, 15, 17]]
    assert centers.radii.tolist() == [6, 6]
    assert find_centers_of_slices(0 * stack, voxel_size=(6, 1, 1)).points.shape == (0, 3)


def test_a_volume_that_is_one_object_has_its_centre_in_the_middle():
    centers = find_centers(np.ones((3, 5, 7), np.uint8), voxel_size=(2, 1, 1))
    assert centers.points.tolist() == [[1, 2, 3]]
    assert centers.radii.tolist() == [2.5]


@given(nps.arrays(np.uint8, (2, 6, 7), elements=st.integers(0, 3)))
def test_every_object_has_one_centre_inside(labels):
    centers = find_centers(labels, voxel_size=(1.5, 1, 1))
    ids = [int(labels[tuple(point)]) for point in centers.points]
    assert ids == [number for number in np.unique(labels).tolist() if number]
    assert (centers.radii > 0).all()


def test_the_heatmap_is_1_at_centres_in_their_slice_and_nowhere_else():
    labels = np.zeros((5, 20, 30), np.uint16)
    labels[1:4, 2:9, 3:10], labels[2:5, 10:19, 15:28] = 1, 2
    centers = find_centers(labels, voxel_size=(1, 1, 1))
    heats = [render_heatmap(centers, z, WHOLE, 40, voxel_size=(1, 1, 1)) for z in range(5)]
    assert [int((heat >= 1).sum()) for heat in heats] == [int((centers.points[:, 0] == z).sum()) for z in range(5)]
    z, y, x = centers.points[0]
    assert heats[z][int((y + 0.5) * 2), int((x + 0.5) * 40 / 30)] == 1
    assert min(heat.min() for heat in heats) >= 0


def test_a_gaussian_is_as_wide_along_z_as_along_y_in_space():
    labels = np.zeros((9, 33, 33), np.uint8)
    labels[4, 16, 16] = 1
    centers = find_centers(labels, voxel_size=(4, 1, 1))
    centers.radii[:] = 16  # standard deviation 8
    along_z = [
        render_heatmap(centers, z, (slice(0, 33), slice(0, 33)), 33, voxel_size=(4, 1, 1))[16, 16] for z in range(9)
    ]
    along_y = render_heatmap(centers, 4, (slice(0, 33), slice(0, 33)), 33, voxel_size=(4, 1, 1))[:, 16]
    np.testing.assert_allclose(along_z, along_y[::4], rtol=1e-6)
    assert along_y[24] == pytest.approx(np.exp(-0.5))


def test_a_window_shows_what_lies_in_it():
    centers = find_centers(ring(), voxel_size=(1, 1, 1))
    right = render_heatmap(centers, 0, (slice(0, 20), slice(15, 30)), 20, voxel_size=(1, 1, 1))
    assert np.argwhere(right == 1).tolist() == [[4, 11]]


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`voxel_size` must be 3 positive numbers"):
        find_centers(ring(), voxel_size=(1, 1))
    with pytest.raises(ValueError, match="`voxel_size` must be 3 positive numbers"):
        find_centers(ring(), voxel_size=(1, 0, 1))
