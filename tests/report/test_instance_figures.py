import numpy as np
import pytest

from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.report.coloring_steps import coloring_steps
from segkit.report.instance_overlay import colored_objects, instance_overlay, object_color, object_overlay
from segkit.report.size_histogram import size_histogram


def objects():
    truth = np.zeros((40, 50), np.uint16)
    truth[5:15, 5:20], truth[20:35, 10:30], truth[2:8, 40:48] = 1, 2, 9
    return truth


def test_an_object_and_the_true_one_that_it_fits_have_one_color():
    truth = objects()
    found = np.select([truth == 1, truth == 2], [7, 3], 0)
    (row,) = instance_overlay(np.zeros((40, 50)), truth, found).rows
    panels = {panel.title: panel.image for panel in row}
    factor = panels["Truth"].shape[0] // 40
    for y, x in ((10, 12), (27, 20)):
        np.testing.assert_array_equal(
            panels["Truth"][y * factor, x * factor], panels["Prediction"][y * factor, x * factor]
        )
    assert not np.array_equal(panels["Truth"][5 * factor, 44 * factor], panels["Prediction"][5 * factor, 44 * factor])


def test_neighbours_in_number_never_look_alike():
    colors = np.array([object_color(number) for number in range(1, 200)])
    assert (np.abs(np.diff(colors, axis=0)).sum(axis=1) > 100).all()


def test_background_stays_grey_and_outlines_are_full():
    grey = np.full((40, 50), 100, np.uint8)
    drawn = colored_objects(grey, objects())
    np.testing.assert_array_equal(drawn[0, 0], [100, 100, 100])
    np.testing.assert_array_equal(drawn[5, 5], np.rint(object_color(1)))
    assert not np.array_equal(drawn[10, 12], drawn[5, 5])


def test_one_object_is_drawn_where_most_of_it_is():
    truth = np.stack([objects() * 0, objects(), objects() * (objects() == 2)])
    image = np.random.default_rng(0).random(truth.shape)
    shown = object_overlay(image, truth, truth, 1, voxel_size_nm=(300.0, 100.0, 100.0))
    (row,) = shown.rows
    assert [panel.title for panel in row] == ["Image", "Truth", "Prediction"]
    width = row[1].image.shape[1] * row[1].pixel_nm / 100  # px of the slice
    assert width == pytest.approx(33)  # the object's 15 px and 0.6 of them on either side
    assert row[1].image.shape[0] == row[1].image.shape[1]
    with pytest.raises(ValueError, match="`truth` must hold the object"):
        object_overlay(image, truth, truth, 4)


def test_a_sliver_at_the_border_is_drawn_in_a_square_and_in_its_partners_colour():
    truth = np.zeros((1, 100, 120), int)
    truth[0, 40:60, 118:] = 3
    found = np.where(truth, 9, 0)
    found[0, 0, :10] = 4
    (row,) = object_overlay(np.zeros(truth.shape), truth, found, 3).rows
    assert {panel.image.shape for panel in row} == {(132, 132, 3)}  # 44 px, each three times
    np.testing.assert_array_equal(row[1].image, row[2].image)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="of one shape"):
        instance_overlay(np.zeros((4, 4)), np.zeros((4, 5), int), np.zeros((4, 4), int))


def test_the_histogram_names_number_and_median_in_its_unit():
    sizes = {"truth": np.array([10, 20, 40]), "prediction": np.array([10])}
    text = size_histogram(sizes).decode()
    assert "truth: 3, median 20" in text
    assert "prediction: 1, median 10" in text
    assert ">voxels<" in text
    assert "median 2<" in size_histogram(sizes, voxel_um3=0.1).decode()
    assert size_histogram({"truth": np.zeros(0)}) is None
    assert "prediction: none" in size_histogram({"truth": np.array([3]), "prediction": np.zeros(0)}).decode()


def test_every_step_to_the_colours_is_shown():
    stack = np.random.default_rng(0).integers(0, 255, (4, 32, 40)).astype(np.uint8)
    middle = coloring_steps(stack, 1, Pseudocoloring(tiles=2))
    titles = [panel.title for row in middle.rows for panel in row]
    assert titles == [
        *("Slice 0", "0: equalized", "0: blurred", "0: rough mask, to be red"),
        *("Slice 2", "2: equalized", "2: blurred", "2: rough mask, to be blue"),
        *("Slice 1", "Slice 1, coloured"),
    ]
    assert [len(row) for row in coloring_steps(stack, 0, Pseudocoloring(tiles=2)).rows] == [4, 2]
    stack[2] = 7
    assert [len(row) for row in coloring_steps(stack, 1, Pseudocoloring(tiles=2)).rows] == [4, 1, 2]
