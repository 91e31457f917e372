"""Classes are drawn in their colours, errors where they are."""

import pathlib
import types

import numpy as np
import pytest

from segkit.evaluation.evaluate_classes import evaluate_classes
from segkit.report import colors
from segkit.report.label_overlay import label_overlay
from segkit.report.label_pictures import label_pictures
from segkit.report.sections import overlays
from segkit.volumes.volume import Volume

NAMES = ("background", "membrane", "synapse")


def squares(side=64):
    truth = np.zeros((side, side), np.uint8)
    truth[: side // 4, : side // 4] = 1
    truth[side // 2 : side // 2 + 4, side // 2 : side // 2 + 4] = 2
    return np.full(truth.shape, 100, np.uint8), truth


def test_each_class_has_its_colour_and_background_shows_the_slice():
    image, truth = squares()
    (row,) = label_overlay(image, truth, {"Prediction": truth}, NAMES).rows
    assert [panel.title for panel in row] == ["Slice", "Truth", "Prediction", "Errors"]
    drawn, factor = row[1].image, row[1].image.shape[0] // 64
    grey = np.asarray([128, 128, 128])
    for (y, x), color in (((2, 2), colors.class_color(1)), ((34, 34), colors.class_color(2))):
        expected = 0.45 * grey + 0.55 * np.asarray(colors.rgb(color))
        np.testing.assert_allclose(drawn[y * factor, x * factor], expected, atol=1)
    np.testing.assert_array_equal(drawn[60 * factor, 60 * factor], grey)
    np.testing.assert_array_equal(row[3].image, row[0].image)  # no errors


def test_errors_are_where_classes_differ_and_somebody_annotated():
    image, truth = squares()
    prediction = truth.copy()
    prediction[40:44, :4] = 1
    prediction[60:, 60:] = 2
    truth[60:, 60:] = 255
    (row,) = label_overlay(image, truth, {"Prediction": prediction}, NAMES, ignore_value=255).rows
    factor = row[3].image.shape[0] // 64
    wrong = (row[3].image != row[0].image).any(-1)[::factor, ::factor]
    expected = np.zeros((64, 64), bool)
    expected[40:44, :4] = True
    np.testing.assert_array_equal(wrong, expected)


def test_of_several_predictions_each_has_a_panel_and_there_are_no_errors():
    image, truth = squares()
    drawn = label_overlay(image, truth, {"one": truth, "two": 0 * truth}, NAMES, caption="here")
    assert [panel.title for panel in drawn.rows[0]] == ["Slice", "Truth", "one", "two"]
    assert [meaning for _, meaning in drawn.legend] == ["membrane", "synapse"]
    body = overlays([drawn, drawn]).body
    assert body.count("synapse</span>") == 1


def test_a_large_slice_shows_its_rarest_class_in_detail():
    image, truth = squares(1024)
    truth[900:910, 900:910] = 0
    truth[512:, 512:] = 0
    truth[700:720, 100:120] = 2
    rows = label_overlay(image, truth, {"Prediction": truth}, NAMES).rows
    assert [panel.title for panel in rows[1]][:2] == ["Slice, detail", "Truth, detail"]
    color = 0.45 * 128 + 0.55 * np.asarray(colors.rgb(colors.class_color(2)))
    assert (np.abs(rows[1][1].image - color).max(-1) < 3).sum() >= 300


def test_shapes_must_agree():
    image, truth = squares()
    with pytest.raises(ValueError, match="of one shape"):
        label_overlay(image, truth, {"Prediction": truth[:-1]}, NAMES)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/I.tif"], ["Only slice, z = 0: mean IoU 1.000"]),
        (["x/a/I.tif", "x/b/I.tif"], [f"Only slice of {one}/I.tif, z = 0: mean IoU 1.000" for one in "ab"]),
    ],
)
def test_captions_tell_which_of_several_volumes_they_are_of(names, expected):
    image, truth = squares()
    labels = Volume(array=truth[None])
    scores = evaluate_classes(labels, labels, class_names=NAMES)
    volumes = [
        types.SimpleNamespace(tomogram=Volume(array=image[None], source=pathlib.Path(name)), mask=labels)
        for name in names
    ]
    drawn = label_pictures([(volume, labels, scores) for volume in volumes], NAMES, None)
    assert [picture.caption for picture in drawn] == expected
