import dataclasses
import logging

import mrcfile
import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from segkit.data.sources import Source, open_source, painted_slices, shared_warnings, split_by_hold_out
from segkit.errors import InputError
from segkit.tasks.classes import ClassesTask
from segkit.volumes.files import save_volume
from segkit.volumes.label_checks import check_labels
from segkit.volumes.volume import Volume


@pytest.fixture
def blobs(tmp_path):
    """A noisy image of blobs and its mask, as files."""
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=(4, 256, 256)), (0, 8, 8))
    mask = (field > 1.5 * field.std()).astype(np.uint8)
    image = (60.0 * mask + rng.normal(0, 15, mask.shape)).clip(-128, 127).astype(np.int8)
    save_volume(tmp_path / "T.mrc", Volume(array=image, voxel_size_nm=(5.0, 2.0, 2.0)))
    save_volume(tmp_path / "M.mrc", Volume(array=mask, voxel_size_nm=(5.0, 2.0, 2.0)))
    save_volume(tmp_path / "F.mrc", Volume(array=mask[:, ::-1].copy(), voxel_size_nm=(5.0, 2.0, 2.0)))
    return tmp_path


def source(folder, mask="M.mrc", **changes):
    return Source(tomogram=str(folder / "T.mrc"), mask=str(folder / mask), train="1-2", validation="0", **changes)


def test_slices_are_told_apart_and_nothing_is_warned_of(blobs):
    opened = open_source(source(blobs, test="3"))
    assert (opened.split.train, opened.split.validation, opened.split.test) == ((1, 2), (0,), (3,))
    assert opened.warnings == ()


def test_a_warning_that_many_files_share_stands_once(blobs, caplog):
    opened, sources = open_source(source(blobs)), []
    for number in range(3):
        paths = [str(blobs / f"{kind}{number}.tif") for kind in "im"]
        for path, array in zip(paths, opened.arrays, strict=True):
            save_volume(path, Volume(array=np.asarray(array[:])))
        sources.append(Source(tomogram=paths[0], mask=paths[1], train="1-2", validation="0"))
    with caplog.at_level(logging.WARNING, logger="segkit"):
        quiet = [open_source(one, tell=False) for one in sources]
        assert caplog.text == ""
        open_source(sources[0])
    assert caplog.text.count("voxel size unknown") == 2
    upside_down = open_source(source(blobs, "F.mrc"), tell=False)
    first, second = shared_warnings([*quiet, upside_down])
    assert first.startswith(f"{sources[0].tomogram} and 5 more: voxel size unknown")
    assert second == upside_down.warnings[0]


def test_a_mask_that_is_upside_down_is_warned_of_and_flipped_only_when_asked(blobs, caplog):
    with caplog.at_level(logging.WARNING, logger="segkit"):
        upside_down = open_source(source(blobs, "F.mrc"))
    assert "use --flip-y" in upside_down.warnings[0]
    assert "use --flip-y" in caplog.text
    asked = open_source(source(blobs, "F.mrc", flip_y=True))
    assert asked.warnings == ()
    np.testing.assert_array_equal(asked.mask.array[0], open_source(source(blobs)).mask.array[0])
    needless = open_source(source(blobs, flip_y=True))
    assert "rows (y) flipped" in needless.warnings[0] and "leave out --flip-y" in needless.warnings[0]


def test_masks_with_x_and_y_exchanged_or_in_reverse_order_are_warned_of(blobs):
    mask = np.asarray(open_source(source(blobs)).mask.array[:])
    for wrong, how in ((mask.swapaxes(1, 2), "x and y exchanged"), (mask[::-1], "slices (z) in reverse order")):
        save_volume(blobs / "W.mrc", Volume(array=wrong.copy(), voxel_size_nm=(5.0, 2.0, 2.0)), overwrite=True)
        (found,) = open_source(source(blobs, "W.mrc")).warnings
        assert how in found and "write it again" in found and "--flip-y" not in found


def test_a_mask_in_the_place_of_its_tomogram_is_warned_of(blobs):
    mask = open_source(source(blobs)).mask
    save_volume(blobs / "copy.mrc", mask)
    (found,) = open_source(dataclasses.replace(source(blobs), tomogram=str(blobs / "copy.mrc"))).warnings
    assert found.startswith(f"{blobs / 'copy.mrc'}: looks like a mask or labels") and "right file" in found


def test_a_mask_whose_voxels_have_another_size_is_warned_of(blobs):
    mask = np.asarray(open_source(source(blobs)).mask.array[:])
    save_volume(blobs / "W.mrc", Volume(array=mask, voxel_size_nm=(5.0, 4.0, 4.0)))
    opened = open_source(source(blobs, "W.mrc"))
    told = "has voxels of 5 x 4 x 4 nm (z, y, x), but its image of 5 x 2 x 2 nm (z, y, x); if both are of one volume"
    assert opened.warnings[0].startswith(f"{blobs / 'W.mrc'}: {told}")
    assert shared_warnings([opened]) == list(opened.warnings)
    save_volume(blobs / "R.mrc", Volume(array=mask, voxel_size_nm=(5.0, 2.01, 2.01)))
    assert open_source(source(blobs, "R.mrc")).warnings == ()


def test_an_ignore_value_that_does_not_occur_is_warned_of(blobs):
    told = f"{blobs / 'M.mrc'}: no voxel has the ignore value 77"
    assert open_source(source(blobs), ignore_value=77).warnings == (told,)
    mask = np.asarray(open_source(source(blobs)).mask.array[:]).copy()
    mask[3, 5, 5] = 77
    save_volume(blobs / "M.mrc", Volume(array=mask, voxel_size_nm=(5.0, 2.0, 2.0)), overwrite=True)
    assert open_source(source(blobs), ignore_value=77).warnings == ()


def test_a_check_that_counts_no_ignored_voxels_says_nothing_of_them(blobs):
    opened = open_source(source(blobs), ignore_value=77, check=lambda mask, **_: None)
    assert opened.warnings == () and opened.labels is None


def test_a_mask_of_another_shape_is_refused(blobs):
    save_volume(blobs / "small.mrc", Volume(array=np.eye(8, dtype=np.uint8)[None]))
    with pytest.raises(InputError, match="1 x 8 x 8"):
        open_source(source(blobs, "small.mrc"))


def test_slices_beyond_the_volume_are_refused(blobs):
    with pytest.raises(InputError, match="slices 0 to 3"):
        open_source(source(blobs, test="4"))


def test_the_channel_of_a_tomogram_is_chosen_and_the_mask_has_one(blobs):
    image = np.asarray(open_source(source(blobs)).tomogram.array[:])
    image = image.view(np.uint8)
    channels = np.stack([image[::-1], image], axis=1)
    tifffile.imwrite(blobs / "C.tif", channels, imagej=True, metadata={"axes": "ZCYX"})
    two = dataclasses.replace(source(blobs), tomogram=str(blobs / "C.tif"))
    with pytest.raises(InputError, match=r"C\.tif: found 2 channels and none was chosen; choose one from 0 to 1"):
        open_source(two)
    found = open_source(dataclasses.replace(two, channel=1))
    np.testing.assert_array_equal(np.asarray(found.tomogram.array[:]), image)
    assert Source.from_dict(dataclasses.asdict(found.source)) == found.source


@pytest.mark.parametrize("channel", [-1, 1.0, True, "1"])
def test_a_channel_is_a_number_or_none(channel):
    with pytest.raises(InputError, match=f"channel under 'data' is {channel!r}; give a whole number from 0 on"):
        Source.from_dict({"tomogram": "T.tif", "mask": "M.tif", "channel": channel})


def test_bytes_of_a_tomogram_are_read_with_the_sign_that_its_source_says(tmp_path):
    image = np.clip(np.random.default_rng(0).normal(128, 20, (3, 40, 50)), 0, 255).astype(np.uint8)
    with mrcfile.new(tmp_path / "T.mrc") as file:
        file.set_data(image.view(np.int8))
        file.header.dmin = file.header.dmax = file.header.dmean = 0  # a header without a range
    save_volume(tmp_path / "M.mrc", Volume(array=(image > 150).astype(np.uint8)))
    plain = source(tmp_path)
    assert any("--unsigned" in warning for warning in open_source(plain).warnings)
    unsigned = open_source(dataclasses.replace(plain, unsigned=True))
    np.testing.assert_array_equal(np.asarray(unsigned.tomogram.array[:]), image)
    assert not any("--unsigned" in warning for warning in unsigned.warnings)
    stored = dataclasses.asdict(unsigned.source)
    assert Source.from_dict(stored) == unsigned.source
    assert stored.pop("unsigned") is True
    assert Source.from_dict(stored) == plain  # as plans were written before
    with pytest.raises(InputError, match="unsigned under 'data' is 'yes'; give true, false or null"):
        Source.from_dict({**stored, "unsigned": "yes"})


def test_every_volume_is_held_out_from_by_itself():
    plain = Source(tomogram="a", mask="b")
    split = split_by_hold_out([plain, plain], [range(6), range(3)], 5)
    assert [(part.train, part.validation) for part in split] == [("1-4", "0,5"), ("1-2", "0")]


def test_painted_slices_are_those_with_anything_but_background_and_unannotated_pixels(tmp_path):
    mask = np.zeros((5, 4, 6), np.uint8)
    mask[1, 0, 0], mask[3, 1, 1], mask[4] = 7, 1, 255
    save_volume(tmp_path / "m.tif", Volume(array=mask))
    assert painted_slices(str(tmp_path / "m.tif")) == [1, 3, 4]
    assert painted_slices(str(tmp_path / "m.tif"), ignore_value=255) == [1, 3]
    plain = Source(tomogram="a", mask="b")
    (split,) = split_by_hold_out([plain], [[1, 3, 4, 8]], 3)
    assert (split.train, split.validation) == ("3-4", "1,8")
    save_volume(tmp_path / "e.tif", Volume(array=0 * mask))
    with pytest.raises(InputError, match=r"e\.tif: found no foreground"):
        painted_slices(str(tmp_path / "e.tif"))


def of_classes(count):
    return ClassesTask(class_names=[f"class {k}" for k in range(count)]).check_annotation


def test_labels_are_opened_as_classes(blobs):
    mask = np.asarray(open_source(source(blobs)).mask.array[:])
    labels = mask + (np.roll(mask, 5, axis=2) & (1 - mask)) * 2  # 1, and 2 beside it
    save_volume(blobs / "L.mrc", Volume(array=labels.astype(np.uint8), voxel_size_nm=(5.0, 2.0, 2.0)))
    with pytest.raises(InputError, match="expected 0 and one other value"):
        open_source(source(blobs, "L.mrc"))
    opened = open_source(source(blobs, "L.mrc"), check=check_labels)
    assert opened.labels.num_classes == 3
    assert opened.labels.voxels.sum(axis=0).tolist() == np.bincount(labels.ravel()).tolist()
    assert open_source(source(blobs, "L.mrc"), check=of_classes(5)).labels.num_classes == 5
    with pytest.raises(InputError, match="found 2 in slice 0"):
        open_source(source(blobs, "L.mrc"), check=of_classes(2))
    assert open_source(source(blobs)).labels.foreground_value == 1


def test_folders_with_different_gaps_are_told_of(blobs):
    opened = open_source(source(blobs))
    for name, array, gap in (
        ("t", opened.tomogram.array, 2),
        ("m", opened.mask.array, 3),
        ("same", opened.mask.array, 2),
    ):
        save_volume(blobs / name, Volume(array=np.asarray(array[:]).astype(np.uint8)))
        for z in range(4)[::-1]:
            (blobs / name / f"{z}.png").rename(blobs / name / f"s{z + (z >= gap)}.png")
    pair = dataclasses.replace(source(blobs, "m"), tomogram=str(blobs / "t"))
    told = [line for line in open_source(pair).warnings if "paired" in line]
    assert told == [
        f"{blobs / 'm'}: slices are paired in their order, but s2.png would belong to another slice of its image than "
        "s3.png; unless they were renumbered, give both the same slices"
    ]
    same = open_source(dataclasses.replace(pair, mask=str(blobs / "same"))).warnings
    assert not any("paired" in line for line in same)
    assert sum("slice 2 is missing" in line for line in same) == 2
