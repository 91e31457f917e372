"""What overlays draw, checked pixel by pixel on small slices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import rgb2lab

from segkit.report import colors
from segkit.report.overlay import (
    SHOWN_PX,
    detail_window,
    error_map,
    outlined,
    overlay,
    stretch_contrast,
)


def mixed(grey: int, color: str, share: float) -> list[int]:
    return [round((1 - share) * grey + share * channel) for channel in colors.rgb(color)]


def test_errors_of_two_by_two() -> None:
    grey = np.array([[0, 100], [200, 50]], np.uint8)
    truth = np.array([[True, True], [False, False]])
    prediction = np.array([[True, False], [True, False]])
    drawn = error_map(grey, truth, prediction)
    assert drawn.dtype == np.uint8
    assert drawn.tolist() == [
        [mixed(0, colors.AGREEMENT, 0.5), mixed(100, colors.TRUTH, 0.85)],
        [mixed(200, colors.PREDICTION, 0.85), [50, 50, 50]],
    ]


@given(arrays(bool, (6, 7)), arrays(bool, (6, 7)))
def test_exactly_the_foreground_of_either_is_coloured(truth: np.ndarray, prediction: np.ndarray) -> None:
    drawn = error_map(np.full(truth.shape, 90, np.uint8), truth, prediction)
    np.testing.assert_array_equal((drawn != 90).any(-1), truth | prediction)


def test_an_outline_lies_inside_its_mask_and_not_along_the_border_of_the_slice() -> None:
    mask = np.zeros((6, 6), bool)
    mask[1:5, :4] = True
    line = (outlined(np.zeros((6, 6), np.uint8), mask, "#ffffff") == 255).all(-1)
    expected = mask.copy()
    expected[2:4, :3] = False
    np.testing.assert_array_equal(line, expected)


def test_small_objects_fade_but_do_not_vanish() -> None:
    shape = (3 * SHOWN_PX, 3 * SHOWN_PX)
    truth = np.zeros(shape, bool)
    truth[300, 600] = True
    drawn = error_map(np.zeros(shape, np.uint8), truth, np.zeros(shape, bool))
    assert drawn.shape == (SHOWN_PX, SHOWN_PX, 3)
    assert np.argwhere(drawn.any(-1)).tolist() == [[100, 200]]


def test_contrast_cuts_off_the_tails() -> None:
    image = np.arange(1000, dtype=np.int16).reshape(20, 50) - 500
    image[0, 0], image[0, 1] = -30000, 30000
    grey = stretch_contrast(image)
    assert (grey[0, 0], grey[0, 1]) == (0, 255)
    assert np.abs(grey.ravel()[2:].astype(float) - np.arange(2, 1000) * 255 / 999).max() < 4


def test_contrast_of_difficult_slices() -> None:
    assert (stretch_contrast(np.full((3, 3), 7.0)) == 128).all()
    sparse = np.zeros((50, 50), np.uint8)
    sparse[4, 4] = 9  # beyond the percentiles; still seen
    assert stretch_contrast(sparse)[4, 4] == 255
    broken = np.array([[0.0, 1.0], [np.nan, np.inf]])
    assert stretch_contrast(broken).tolist() == [[0, 255], [0, 0]]
    assert (stretch_contrast(np.full((2, 2), np.nan)) == 128).all()


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
@example(np.ones((1, 1), bool))
@example(np.ones((2, 1), bool))
def test_the_detail_holds_most_foreground(foreground: np.ndarray) -> None:
    height, width = foreground.shape
    window = detail_window(foreground)
    if not foreground.any():
        assert window is None
        return
    if window is None:
        raise AssertionError("there is foreground")
    rows, columns = foreground[window].shape
    side = max(1, max(height, width) // 3)
    assert (rows, columns) == (min(side, height), min(side, width))
    counts = [
        foreground[y : y + rows, x : x + columns].sum()
        for y in range(height - rows + 1)
        for x in range(width - columns + 1)
    ]
    assert foreground[window].sum() == max(counts)


def test_panels_of_a_small_slice() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 40)).astype(np.uint8)
    truth = np.zeros((30, 40), np.uint8)
    truth[5:9, 5:9] = 255
    drawn = overlay(image, truth, np.zeros_like(truth), caption="z = 3", voxel_size_nm=(5.0, 2.0, 4.0))
    [row] = drawn.rows
    assert drawn.caption == "z = 3"
    assert [panel.title for panel in row] == ["Slice", "Truth", "Prediction", "Errors"]
    factor = SHOWN_PX // 2 // 40
    for panel in row:
        assert panel.image.shape == (30 * factor, 40 * factor, 3)
        assert panel.pixel_nm == pytest.approx(4.0 / factor)
    np.testing.assert_array_equal(row[0].image, row[2].image)  # nothing predicted, nothing drawn
    missed = row[3].image[5 * factor, 5 * factor].astype(int)
    assert missed[2] > missed[0] + 50  # blue


def test_a_large_slice_has_a_detail() -> None:
    shape = (900, 1200)
    truth = np.zeros(shape, bool)
    truth[100:150, 700:760] = True
    whole, detail = overlay(np.zeros(shape), truth, truth, voxel_size_nm=(1.0, 1.0, 1.0)).rows
    assert whole[0].image.shape == (420, 560, 3)
    assert whole[0].pixel_nm == pytest.approx(1200 / 560)
    assert [panel.title for panel in detail] == [
        "Slice, detail",
        "Truth, detail",
        "Prediction, detail",
        "Errors, detail",
    ]
    assert detail[0].image.shape == (400, 400, 3)
    assert detail[0].pixel_nm == pytest.approx(1.0)
    assert (whole[0].image == 255).all(-1).any()  # the frame
    assert len(overlay(np.zeros(shape), truth & False, truth & False).rows) == 1


def test_nothing_is_drawn_where_nobody_annotated() -> None:
    image = np.zeros((300, 300), np.uint8)
    truth = np.full((300, 300), 1, np.uint8)
    ignored = np.ones_like(truth)
    ignored[:, :100] = 0
    [row] = overlay(image, truth, truth, ignored=ignored).rows
    for panel in row[1:]:
        coloured = (panel.image != 128).any(-1)
        assert coloured[:, :100].all() and not coloured[:, 100:].any()


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of one shape\. Received: shapes \(4, 4\), \(4, 4\), \(4, 5\)"):
        overlay(np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 5)))


# Colour vision deficiencies as linear maps of linear RGB, Machado et al. (2009), severity 1.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_stay_apart_for_everybody(deficiency: str) -> None:
    def seen(color: str) -> np.ndarray:
        encoded = np.array(colors.rgb(color)) / 255
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
        return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))

    labs = [seen(color) for color in (colors.TRUTH, colors.PREDICTION, colors.AGREEMENT)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(labs, 2)) >= 30
