"""What a tomogram and its mask must fulfil."""

import pathlib
import shlex

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segkit import cli
from segkit.errors import InputError
from segkit.volumes.checks import (
    check_annotation_file,
    check_axes,
    check_binary_mask,
    check_comparable,
    check_finite,
    check_finite_part,
    check_not_image,
    check_same_shape,
)
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume


def mask_of(array, name="mask.mrc"):
    return Volume(array=np.asarray(array), source=pathlib.Path(name))


def test_finite_voxels_pass():
    check_finite(mask_of(np.ones((2, 3, 4), np.float32)))
    check_finite(mask_of(np.ones((2, 3, 4), np.int16)))


def test_voxels_that_are_no_numbers():
    array = np.zeros((4, 3, 3), np.float32)
    array[2, 0], array[3, 0, 0] = np.nan, -np.inf
    expected = r"mask\.mrc: found 3 NaN and 1 infinite voxels, the first in slice 2, expected finite values; replace"
    with pytest.raises(InputError, match=expected):
        check_finite(mask_of(array))


def test_shapes():
    tomogram = mask_of(np.zeros((2, 3, 4)), "tomogram.mrc")
    check_same_shape(mask_of(np.zeros((2, 3, 4))), tomogram)
    with pytest.raises(InputError, match=r"found 2 x 4 x 3 .*expected 2 x 3 x 4 as in tomogram\.mrc"):
        check_same_shape(mask_of(np.zeros((2, 4, 3))), tomogram)


def test_a_file_is_not_its_own_annotation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_volume("a.mrc", Volume(array=np.zeros((2, 3, 4), np.uint8)))
    (tmp_path / "link.mrc").symlink_to("a.mrc")
    for other in ("a.mrc", "./a.mrc", "link.mrc"):
        with pytest.raises(InputError, match=r"mrc: given as image and as its annotation too"):
            check_annotation_file(open_volume(other), open_volume("a.mrc"))
    check_annotation_file(mask_of(np.zeros((2, 3, 4)), "b.mrc"), open_volume("a.mrc"))
    with h5py.File("a.h5", "w") as file:
        file["raw"], file["label"] = np.zeros((2, 2, 3, 4), np.uint8)
    check_annotation_file(open_volume("a.h5", dataset="label"), open_volume("a.h5", dataset="raw"))
    with pytest.raises(InputError, match="given as image"):
        check_annotation_file(open_volume("a.h5", dataset="raw"), open_volume("a.h5", dataset="raw"))
    in_memory = Volume(array=np.zeros((2, 3, 4)))
    check_annotation_file(in_memory, in_memory)
    with pytest.raises(InputError, match="expected 2 x 3 x 4"):
        check_annotation_file(mask_of(np.zeros((2, 4, 3))), open_volume("a.mrc"))


def test_grey_values_are_no_labels():
    check_not_image(mask_of(np.tri(9)[None]))
    with pytest.raises(
        InputError, match=r"mask\.mrc: many neighbouring voxels differ, .* were images and labels swapped"
    ):
        check_not_image(mask_of(np.arange(48).reshape(2, 4, 6)))


@pytest.mark.parametrize("check", [check_same_shape, check_comparable])
def test_volumes_that_are_compared_have_the_axes_of_slices(check):
    stack = Volume(array=np.zeros((2, 4, 4)))
    for channels in (
        Volume(array=np.zeros((3, 2, 4, 4)), axes="czyx"),
        Volume(array=np.zeros((2, 3, 4, 4)), axes="ztyx"),
    ):
        for pair in ((channels, stack), (stack, channels), (channels, channels)):
            with pytest.raises(InputError, match=r"expected \(z, y, x\); give one index along [ct]"):
                check(*pair)


@given(
    hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)),
    st.sampled_from([(np.uint8, 1), (np.uint8, 255), (np.int8, -1), (np.float32, 1.0), (np.int32, 7)]),
)
def test_any_two_values_count_as_they_are(foreground, kind):
    dtype, value = kind
    mask = mask_of(foreground.astype(dtype) * dtype(value))
    if foreground.all() or not foreground.any():
        with pytest.raises(InputError, match=r"found no (foreground|background)"):
            check_binary_mask(mask)
        return
    counts = check_binary_mask(mask)
    assert counts.foreground_value == value
    assert counts.foreground == tuple(foreground.sum((1, 2)))
    assert counts.background == tuple((~foreground).sum((1, 2)))
    assert sum(counts.ignored) == 0
    assert counts.background_per_foreground == (~foreground).sum() / foreground.sum()


def test_a_mask_may_be_empty_where_that_is_allowed():
    counts = check_binary_mask(mask_of([[[0, 0]], [[0, 9]]]), ignore_value=9, may_be_empty=True)
    assert (counts.foreground_value, counts.foreground, counts.background) == (None, (0, 0), (2, 1))
    with pytest.raises(InputError, match="found no background"):
        check_binary_mask(mask_of([[[9, 9]]]), ignore_value=9, may_be_empty=True)


def test_boolean_mask():
    assert check_binary_mask(mask_of([[[True, False]]])).foreground_value == 1


@pytest.mark.parametrize(
    ("array", "ignore", "message"),
    [
        ([[[0, 0]]], None, r"found no foreground \(every labelled voxel is 0\), expected some"),
        ([[[0, 9]]], 9, "found no foreground"),
        ([[[255, 255]]], None, r"found no background \(every labelled voxel is 255\)"),
        ([[[1, 9]]], 9, "found no background"),
        (
            [[[0, 1]], [[0, 2]]],
            None,
            r"found the values 0, 1, 2 up to slice 1, expected 0 and one other value",
        ),
        ([[[1, 2]]], None, "found the values 1, 2 up to slice 0"),
        (
            [[[0, 1, 9]]],
            None,
            "found the values 0, 1, 9 .*give the value of unannotated voxels as the ignore value",
        ),
        ([[[0.0, 0.25, 0.5]]], None, "found the values 0, 0.25, 0.5 up"),
        ([[list(range(20))]], None, r"found the values 0, 1, 2, 3, 4, 5, \.\.\. up"),
        ([[[0.0, 1.0, np.nan]]], None, "found the values 0, 1, nan up"),
        ([[[0, 1]]], 0, "the ignore value is 0, which is the background"),
    ],
)
def test_no_mask_to_learn_from(array, ignore, message):
    with pytest.raises(InputError, match=message):
        check_binary_mask(mask_of(array), ignore_value=ignore)


def test_ignored_voxels_are_neither():
    counts = check_binary_mask(mask_of([[[0, 1, 9, 9]], [[0, 0, 0, 9]]]), ignore_value=9)
    assert (counts.foreground, counts.background, counts.ignored) == ((1, 0), (1, 3), (2, 1))


def test_progress_counts_slices():
    calls = []
    check_binary_mask(mask_of([[[0, 1]], [[0, 1]]]), progress=lambda *call: calls.append(call))
    check_finite(mask_of(np.zeros((2, 1, 1))), progress=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)] * 2


def test_axes_that_nothing_is_known_of_are_named():
    check_axes(Volume(array=np.zeros((2, 3, 4))))
    check_axes(Volume(array=np.zeros((5, 2, 3, 4)), axes="czyx"), "czyx")
    stack = Volume(array=np.zeros((6, 5, 2, 3, 4)), axes="tczyx")
    expected = r"volume in memory: found the axes \(t, c, z, y, x\), expected \(z, y, x\); give one index along t and c"
    with pytest.raises(InputError, match=expected):
        check_axes(stack)
    with pytest.raises(InputError, match="transpose the array"):
        check_axes(Volume(array=np.zeros((2, 3, 4, 5)), axes="zyxc"), "czyx")


@pytest.mark.parametrize("name", ["a b.tif", "a.h5:exported_data"])
def test_classes_counted_from_1_become_a_mask_by_the_command_that_is_told(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes = np.ones((3, 8, 9), np.uint8)
    classes[1, 2:5, 2:6] = 2
    save_volume(name, Volume(array=classes))
    message = "found the values 1, 2 up to slice 1, none of them 0, .* if 2 is the structure"
    with pytest.raises(InputError, match=message) as told:
        check_binary_mask(open_volume(name))
    command = shlex.split(str(told.value).partition("make a mask of it: segkit ")[2])
    assert command[command.index("--input") + 1] == name
    cli.main(command)
    np.testing.assert_array_equal(open_volume("mask.tif").array[:], classes - 1)
    assert check_binary_mask(open_volume("mask.tif")).foreground == (0, 12, 0)


def test_an_inverted_mask_is_told_of():
    mask = np.ones((2, 20, 20), np.uint8)
    mask[:, 5:12, 5:12] = 0  # 12 %
    found = check_binary_mask(mask_of(mask))
    assert found.warning.startswith("88 % of the mask is foreground; is it inverted? 0 is background")
    assert check_binary_mask(mask_of(1 - mask)).warning is None
    mask[:, :11] = 0
    assert check_binary_mask(mask_of(mask)).warning is None  # less than half
    # Unannotated voxels do not count.
    partly = np.ones((2, 20, 20), np.uint8)
    partly[:, 5:12, 5:12], partly[:, 12:] = 0, 7
    assert check_binary_mask(mask_of(partly), ignore_value=7).warning.startswith("80 %")


def test_a_large_object_in_the_middle_is_no_inverted_mask():
    mask = np.zeros((2, 20, 20), np.uint8)
    mask[:, 1:-1, 1:-1] = 1  # 81 %
    assert check_binary_mask(mask_of(mask)).warning is None
    mask[:, 0] = mask[:, :-1, 0] = 1  # half of the border
    assert check_binary_mask(mask_of(mask)).warning is None
    mask[:, -1, 5] = mask[:, 5, -1] = 1
    assert check_binary_mask(mask_of(mask)).warning is not None
    cells = np.ones((1, 20, 20), np.uint8)
    cells[:, ::4] = 0  # 75 %: cells side by side
    assert check_binary_mask(mask_of(cells)).warning is None


def test_strokes_that_were_not_given_as_such_are_recognised():
    told = "where 1 and 2 are strokes on background and on the structure, give --annotation strokes"
    with pytest.raises(InputError, match=told):
        check_binary_mask(mask_of([[[0, 1]], [[0, 2]]]))
    for array, ignore in (([[[0, 1, 3]]], None), ([[[0, 1, 2, 3]]], None), ([[[0, 1, 2, 255]]], 255)):
        with pytest.raises(InputError, match="expected 0 and one other value") as fault:
            check_binary_mask(mask_of(array), ignore_value=ignore)
        assert "strokes" not in str(fault.value)


def test_a_part_of_a_slice_is_checked_as_it_is_read():
    volume = mask_of(np.zeros((4, 2, 3), np.float32))
    check_finite_part(volume, np.zeros((2, 3), np.float32), 3)
    check_finite_part(volume, np.zeros((2, 3), np.int8), 3)
    with pytest.raises(InputError, match="found 2 NaN or infinite voxels in slice 3, expected finite values; mend it"):
        check_finite_part(volume, np.array([[0.0, np.nan, np.inf]]), 3, remedy="mend it")
