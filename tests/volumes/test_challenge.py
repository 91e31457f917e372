import re

import numpy as np
import pytest
import tifffile

from segkit.errors import InputError
from segkit.volumes.challenge import (
    check_sequence,
    image_files,
    result_files,
    segmentation_files,
    tracking_files,
    write_frame,
    write_result,
)
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_are_found_by_frame_and_slice_and_others_left_alone(tmp_path):
    touch(tmp_path, "01/t000.tif", "01/t001.tif", "01/notes.txt", "01_GT/SEG/man_seg_000_010.tif")
    touch(tmp_path, "01_GT/SEG/man_seg_000_002.tif", "01_GT/SEG/man_seg001.tif", "01_GT/TRA/man_track000.tif")
    touch(tmp_path, "01_GT/TRA/man_track.txt")
    assert {frame: path.name for frame, path in image_files(tmp_path / "01").items()} == {0: "t000.tif", 1: "t001.tif"}
    found = [(entry.frame, entry.z) for entry in segmentation_files(tmp_path / "01_GT")]
    assert found == [(0, 2), (0, 10), (1, None)]
    assert list(tracking_files(tmp_path / "01_GT")) == [0]


def test_a_reference_without_markers_has_none(tmp_path):
    touch(tmp_path, "01_ST/SEG/man_seg000.tif")
    assert tracking_files(tmp_path / "01_ST") == {}


def test_cells_are_written_in_16_bits_under_the_challenges_name(tmp_path):
    labels = np.array([[[0, 65535], [3, 0]]], np.int64)
    path = write_result(tmp_path / "01_RES", 7, Volume(array=labels))
    assert path == tmp_path / "01_RES/mask007.tif"
    stored = tifffile.imread(path)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored.reshape(labels.shape), labels)
    assert list(result_files(tmp_path / "01_RES")) == [7]


def test_more_cells_than_16_bits_hold_are_refused_and_nothing_is_written(tmp_path):
    for wrong in (65536, -1):
        with pytest.raises(InputError, match=f"mask0001.tif: cell {wrong}, but .* 1 to 65535"):
            write_result(tmp_path / "01_RES", 1, Volume(array=np.full((1, 2, 2), wrong)), num_digits=4)
    assert not (tmp_path / "01_RES").exists()


def test_what_is_no_id_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match=r"found 1\.7, expected ids"):
        write_result(tmp_path / "01_RES", 1, Volume(array=np.full((1, 2, 2), 1.7)))
    assert not list(tmp_path.glob("01_RES/*"))


def test_a_written_frame_is_found_again_and_scores_itself(tmp_path):
    labels = np.array([[[0, 1], [2, 0]], [[0, 1], [0, 0]]], np.uint8)
    image = Volume(array=labels * np.uint8(90), voxel_size_nm=(500.0, 100.0, 100.0))
    write_frame(tmp_path, 0, image, Volume(array=labels))
    assert list(image_files(tmp_path / "01")) == [0]
    opened = open_volume(tmp_path / "01/t000.tif")
    np.testing.assert_array_equal(opened.array[:], image.array)
    assert opened.voxel_size_nm == pytest.approx(image.voxel_size_nm, rel=1e-5)
    assert [entry.z for entry in segmentation_files(tmp_path / "01_GT")] == [None]
    np.testing.assert_array_equal(open_volume(tracking_files(tmp_path / "01_GT")[0]).array[:], labels)


def test_a_sequence_is_found_by_its_whole_name(tmp_path):
    touch(tmp_path, "01/t000.tif", "01_GT/SEG/man_seg000.tif", "02/t000.tif", "02_ST/SEG/man_seg000.tif", "other/a")
    check_sequence(tmp_path, "01", "GT")
    for wrong, remedy in (("1", "did you mean 01?"), ("3", "give one of its sequences, 01, 02"), ("x", "give one of")):
        with pytest.raises(InputError, match=re.escape(f"no folder {wrong} in it; {remedy}")):
            check_sequence(tmp_path, wrong, "GT")
    with pytest.raises(InputError, match="no folder 1 in it; give the folder of the data set, which holds 1 and 1_ST"):
        check_sequence(tmp_path / "other", "1", "ST")
    with pytest.raises(InputError, match="none: no such folder"):
        check_sequence(tmp_path / "none", "01", "GT")


@pytest.mark.parametrize(
    ("names", "read", "message"),
    [
        ([], lambda d: image_files(d / "01"), "there is no such folder"),
        (["01/a.png"], lambda d: image_files(d / "01"), "no images t000.tif"),
        (["01/t000.tif", "01/t003.tif"], lambda d: image_files(d / "01"), "image of frame 1 and 1 more is missing"),
        (["01_GT/TRA/man_track000.tif"], lambda d: segmentation_files(d / "01_GT"), "no folder SEG in it"),
        (["01_GT/SEG/readme"], lambda d: segmentation_files(d / "01_GT"), "no annotation"),
    ],
)
def test_incomplete_sequences_are_told_in_one_line(tmp_path, names, read, message):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        read(tmp_path)
