"""Images and annotations are told apart by how often neighbouring voxels differ."""

import numpy as np
import pytest

from segkit.data.sample import sample_path
from segkit.volumes.annotation_like import looks_like_annotation, looks_like_image, share_of_changes
from segkit.volumes.files import open_volume
from segkit.volumes.lazy_volume import slice_stack
from segkit.volumes.volume import Volume

RNG = np.random.default_rng(0)
NOISE = RNG.normal(100, 20, (2, 40, 40))
BLOCKS = np.kron(np.arange(1, 65).reshape(1, 8, 8), np.ones((1, 8, 8), int))  # ids that fill the volume


def kind_of(array):
    volume = Volume(array=np.asarray(array))
    return looks_like_annotation(volume), looks_like_image(volume)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
def test_noise_is_an_image_in_any_type(dtype):
    assert kind_of(NOISE.astype(dtype)) == (False, True)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
def test_masks_and_ids_are_an_annotation_in_any_type(dtype):
    assert kind_of(BLOCKS.astype(dtype)) == (True, False)
    assert kind_of((BLOCKS % 9 < 2).astype(dtype)) == (True, False)
    lines = np.zeros((1, 40, 40), dtype)
    lines[0, ::3] = 1  # one voxel wide
    assert kind_of(lines) == (True, False)


def test_areas_of_numbers_that_are_not_whole_are_neither():
    assert kind_of(BLOCKS / 7) == (False, False)
    assert kind_of(np.where(BLOCKS > 3, BLOCKS, np.nan)) == (False, False)


@pytest.mark.parametrize("value", [0, 5, np.nan])
def test_nothing_is_known_of_a_single_value(value):
    assert share_of_changes(Volume(array=np.full((3, 4, 5), value))) is None
    assert kind_of(np.full((3, 4, 5), value)) == (False, False)


def test_an_image_whose_dark_parts_are_cut_off_is_an_image():
    nuclei = np.zeros((1, 60, 60))
    nuclei[0, 5:15, 5:15] = RNG.integers(1, 200, (10, 10))
    assert (nuclei == 0).mean() > 0.95 and kind_of(nuclei) == (False, True)


def test_slices_that_say_something_are_looked_for_and_no_more_are_read():
    read = []

    def slice_of(z):
        read.append(z)
        return BLOCKS[0] if z >= 90 else np.zeros((64, 64), int)

    assert looks_like_annotation(Volume(array=slice_stack(slice_of, (100, 64, 64), np.dtype(int))))
    assert read[:3] == [25, 50, 75] and max(read) == 92 and len(read) == len(set(read))


@pytest.mark.parametrize(
    ("image", "annotation"),
    [
        ("tardis_microtubules/tomogram.tif", "tardis_microtubules/mask.tif"),
        ("hela_nucleoli/images.tif", "hela_nucleoli/labels.tif"),
    ],
)
def test_real_images_and_their_annotations(image, annotation):
    kinds = [
        (looks_like_annotation(v), looks_like_image(v)) for v in map(open_volume, map(sample_path, (image, annotation)))
    ]
    assert kinds == [(False, True), (True, False)]
