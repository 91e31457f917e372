"""A prediction that is the wrong way round is noticed."""

import numpy as np
import pytest

from segkit.evaluation.misfit import misfit, unpainted
from segkit.volumes.volume import Volume

TRUTH = np.zeros((4, 20, 30), np.uint8)
TRUTH[0, 2:8, 3:9] = 1
TRUTH[2, 12:14, 20:28] = 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (TRUTH, None),
        (TRUTH[:, ::-1], "rows (y) flipped: --flip-y"),
        (TRUTH[:, :, ::-1], "columns (x) flipped: write the one that is wrong again with x reversed ("),
        (TRUTH[:, ::-1, ::-1], "rows and columns flipped: write the one that is wrong again with y and x reversed ("),
        (TRUTH[::-1], "slices (z) in reverse order: write the one that is wrong again with z reversed ("),
        (np.roll(TRUTH, 10, axis=2), None),  # fits no way round
        (0 * TRUTH, None),
    ],
)
def test_the_better_orientation_is_named(found, expected):
    told = misfit(Volume(array=5 * found), Volume(array=TRUTH))
    assert (told is None) if expected is None else (expected in told and "IoU" in told)


def test_exchanged_axes_an_inverted_reference_and_needless_flips_are_named():
    square = np.zeros((3, 30, 30), np.uint8)
    square[:, 2:8, 3:20] = 1
    square[2] = 0

    def told(found, truth, **options):
        return misfit(Volume(array=found), Volume(array=truth), **options)

    assert "x and y exchanged: write the one that is wrong again with its axes in the other order" in told(
        square.swapaxes(1, 2), square
    )
    assert "background exchanged: write the one that is wrong again with 0 outside" in told(square, 1 - square)
    assert "foreground and background exchanged" in told(1 - square, square)
    assert told(np.ones_like(square), square) is None  # a network that finds everything
    half = square.copy()
    half[:, 10:] = 1
    assert told(half, square) is None  # and one that finds much
    assert told(square[:, ::-1], square, is_flipped=True).count("leave out --flip-y") == 1


def test_what_is_the_same_both_ways_is_not_told_and_unannotated_voxels_do_not_count():
    even = np.maximum(TRUTH, TRUTH[:, ::-1])
    assert misfit(Volume(array=even), Volume(array=even)) is None
    partly = TRUTH.copy()
    partly[1] = 7
    assert "--flip-y" in misfit(Volume(array=TRUTH[:, ::-1]), Volume(array=partly), ignore_value=7)


def test_a_reference_that_is_painted_on_some_slices_is_noticed():
    found = Volume(array=np.ones((9, 4, 4), np.uint8))

    def told(painted, prediction=found, **chosen):
        truth = np.zeros((9, 4, 4), np.uint8)
        truth[painted, 1:3] = 3
        return unpainted(prediction, Volume(array=truth), **chosen)

    line = told([1, 4, 7])
    assert line.startswith("empty on 4 slices between others") and line.endswith("score the others with --slices 1,4,7")
    assert told([1, 4, 7], slices=[1, 4, 7]) is None
    many = np.zeros((23, 4, 4), np.uint8)
    many[::2, 1:3] = 3
    line = unpainted(Volume(array=np.ones((23, 4, 4), np.uint8)), Volume(array=many))
    assert line.endswith(f"--slices {','.join(map(str, range(0, 20, 2)))},...")  # ten of them are named
    assert told([1, 4, 7], Volume(array=np.zeros((9, 4, 4), np.uint8))) is None  # nothing is counted as wrong
    assert told([1, 2, 3, 6, 7]) is None  # a structure with a hole in it
    nothing = "empty on all slices that are scored: only what is found wrongly can be counted"
    assert told([]) == told([3], slices=[1, 2]) == told([1, 4, 7], ignore_value=3) == nothing
    empty = Volume(array=np.zeros((9, 4, 4), np.uint8))
    assert told([], empty) is told([3], empty, slices=[1, 2]) is told([1, 4, 7], empty, ignore_value=3) is None


def test_a_reference_of_which_a_block_is_painted_is_noticed():
    truth = np.zeros((9, 4, 40), np.uint8)
    truth[2:5, :, 5:15] = 1
    everywhere, here = np.ones_like(truth), truth.copy()
    line = unpainted(Volume(array=everywhere), Volume(array=truth))
    assert line.startswith("foreground on the slices 2,3,4, where it breaks off, and empty on 6 before or after, where")
    assert line.endswith("score the others with --slices 2,3,4")
    assert unpainted(Volume(array=here), Volume(array=truth)) is None  # nothing was found elsewhere
    here[4:6] = 1
    assert unpainted(Volume(array=here), Volume(array=truth)) is None  # and on fewer slices than are painted
    truth = np.concatenate([truth[:3], truth[3:4], truth[3:]])
    truth[[2, 5], :, 8:] = 0  # it begins and ends
    everywhere = np.ones_like(truth)
    assert unpainted(Volume(array=everywhere), Volume(array=truth)) is None


def test_a_forgotten_slice_of_a_reference_is_noticed():
    truth = np.zeros((9, 4, 40), np.uint8)
    truth[:, :, 5:15] = 1
    found = truth.copy()
    truth[6] = 0
    line = unpainted(Volume(array=found), Volume(array=truth))
    assert line.startswith("empty on slice 6, but with the same structure before and after, where the prediction has")
    assert "--slices 0,1,2,3,4,5,7,8" in line
    assert unpainted(Volume(array=found), Volume(array=truth), slices=[0, 6]) is None
    assert unpainted(Volume(array=truth), Volume(array=truth)) is None
    truth[7] = np.roll(truth[7], 20, axis=1)
    assert unpainted(Volume(array=found), Volume(array=truth)) is None


def test_where_slices_are_unannotated_nothing_is_counted_as_wrong():
    found, truth = np.ones((9, 4, 4), np.uint8), np.full((9, 4, 4), 255, np.uint8)
    nothing = "every voxel that is scored has the ignore value 255: there is nothing to compare with"
    assert unpainted(Volume(array=found), Volume(array=truth), ignore_value=255) == nothing
    truth[[1, 4, 7]] = 0
    truth[[1, 4, 7], 1:3] = 3
    assert unpainted(Volume(array=found), Volume(array=truth), slices=[0, 2], ignore_value=255) == nothing
    assert unpainted(Volume(array=found), Volume(array=truth), ignore_value=255) is None
    truth[[2, 3, 5], 0, 0] = 0
    assert "empty on 3 slices" in unpainted(Volume(array=found), Volume(array=truth), ignore_value=255)
