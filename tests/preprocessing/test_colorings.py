"""Pseudocolouring and its alternatives, on stacks small enough to know what must come out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from segkit.errors import InputError
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colored_stack import ColoredStack
from segkit.preprocessing.colorings import COLORINGS, GreyTriple, NeighbourStack, in_16_bits
from segkit.preprocessing.preprocessing import PREPROCESSINGS
from segkit.preprocessing.pseudocolor import Pseudocoloring, stretched
from segkit.registry import user_modules
from segkit.volumes.lazy_volume import slice_stack

DTYPES = [np.uint8, np.uint16, np.int16, np.float32]


def discs(centers, shape=(96, 96), radius=9):
    """A disc of grey 200 on grey 20 in each slice."""
    y, x = np.indices(shape)
    return np.stack([np.where(np.hypot(y - cy, x - cx) < radius, 200, 20) for cy, cx in centers]).astype(np.uint8)


STACK = discs([(20, 20), (48, 48), (76, 76)])


def colored(coloring, stack, z):
    (image,) = coloring.color(stack, [z])
    return image


def test_red_tells_what_lies_before_and_blue_what_lies_after():
    image = colored(Pseudocoloring(expected_share=0.1), STACK, 1)
    assert image.shape == (96, 96, 3)
    np.testing.assert_array_equal(image[20, 20] > image[50, 5], [True, False, False])
    np.testing.assert_array_equal(image[76, 76] > image[50, 5], [False, False, True])
    assert image[48, 48].min() == image[48, 48].max(), "a cell of this slice alone is grey"
    assert image[48, 48, 1] > image[20, 20, 0], "and brighter than what lies beside it"


def test_the_channels_are_the_slice_and_twice_it_under_the_rough_masks():
    coloring = Pseudocoloring(expected_share=0.1)
    before, after = (coloring.rough_mask(STACK[z], (96, 96)) for z in (0, 2))
    image = colored(coloring, STACK, 1)
    current = STACK[1].astype(np.float32)
    expected = np.stack([current * (1 + before), current, current * (1 + after)], axis=-1)
    np.testing.assert_allclose(image, (expected - 20) / (expected.max() - 20), atol=1e-6)


def test_a_rough_mask_covers_the_cell_and_little_more():
    mask = Pseudocoloring(expected_share=0.1).rough_mask(STACK[0], (96, 96))
    assert mask[STACK[0] == 200].mean() > 0.95
    assert mask.mean() < 0.1


def test_beyond_the_first_and_last_slice_there_is_nothing():
    coloring = Pseudocoloring()
    first, last = colored(coloring, STACK, 0), colored(coloring, STACK, 2)
    np.testing.assert_array_equal(first[..., 0], first[..., 1])
    np.testing.assert_array_equal(last[..., 2], last[..., 1])
    alone = colored(coloring, STACK[:1], 0)
    np.testing.assert_array_equal(alone[..., 0], alone[..., 2])


def test_the_threshold_rises_until_the_mask_is_small_enough_and_no_further():
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (128, 1))
    shares = [Pseudocoloring(expected_share=share).steps(ramp)["mask"].mean() for share in (1.0, 0.7, 0.6)]
    assert shares[0] > shares[1] >= shares[2]
    assert shares[1] < 0.7
    assert shares[2] < 0.6
    bounded = Pseudocoloring(expected_share=0.01).steps(ramp)
    np.testing.assert_array_equal(bounded["mask"], bounded["blurred"] > 0.2 + 30 * 0.01)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_grey_value_is_coloured(dtype):
    coloring = Pseudocoloring(expected_share=0.1)
    image = colored(coloring, STACK.astype(dtype), 1)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[20, 20] > image[50, 5], [True, False, False])


def test_all_types_of_more_than_8_bits_are_coloured_alike():
    coloring = Pseudocoloring(expected_share=0.3)
    stack = np.random.default_rng(0).integers(0, 2**15, (3, 48, 48)).astype(np.uint16)
    expected = colored(coloring, stack, 1)
    assert len(np.unique(expected[..., 0] - expected[..., 1] > 0)) == 2  # the mask of the neighbour is part of a slice
    for dtype in (np.int16, np.int32, np.float32, np.float64):
        np.testing.assert_allclose(colored(coloring, stack.astype(dtype), 1), expected, atol=1e-6)


def test_more_than_8_bits_are_never_pressed_into_8():
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 4096, (64, 64)).astype(np.uint16)
    found = Pseudocoloring(clip_limit=1e6, tiles=1).steps(fine)["equalized"]
    assert len(np.unique(found)) > 0.9 * len(np.unique(fine))


@given(st.floats(0.01, 100), st.floats(-1000, 1000))
def test_a_rough_mask_does_not_depend_on_the_scale_of_float_values(gain, offset):
    coloring = Pseudocoloring(expected_share=0.1)
    slice_ = STACK[0].astype(np.float64)
    np.testing.assert_array_equal(
        coloring.rough_mask(gain * slice_ + offset, (96, 96)), coloring.rough_mask(slice_, (96, 96))
    )


@given(nps.arrays(np.int16, (3, 20, 24), elements=st.integers(-500, 500)))
def test_every_colouring_stays_between_0_and_1(stack):
    for kind in COLORINGS.names():
        for image in COLORINGS.find(kind)().color(stack, range(3)):
            assert image.dtype == np.float32
            assert image.shape == (20, 24, 3)
            assert image.min() >= 0
            assert image.max() <= 1


def test_a_slice_of_one_grey_is_black_and_colours_nothing():
    flat = STACK.copy()
    flat[0] = 77
    image = colored(Pseudocoloring(), flat, 0)
    np.testing.assert_array_equal(image[..., 1], 0)
    neighbour = colored(Pseudocoloring(), flat, 1)
    np.testing.assert_array_equal(neighbour[..., 0], neighbour[..., 1])


def test_per_channel_brings_each_colour_to_the_whole_range_and_jointly_keeps_their_balance():
    column = discs([(48, 48)] * 3)
    image = colored(Pseudocoloring(normalize="per_channel", expected_share=0.1), column, 1)
    np.testing.assert_array_equal(image.max(axis=(0, 1)), 1)
    jointly = colored(Pseudocoloring(expected_share=0.1), column, 1)
    np.testing.assert_allclose(jointly.max(axis=(0, 1)), [1, (200 - 20) / (400 - 20), 1], atol=1e-6)


def test_slices_coloured_in_a_row_are_those_coloured_alone_and_no_slice_is_read_more_than_thrice():
    read = []

    def read_slice(z):
        read.append(z)
        return STACK[z]

    stack = slice_stack(read_slice, STACK.shape, STACK.dtype)
    coloring = Pseudocoloring()
    for z, image in enumerate(coloring.color(stack, range(3))):
        np.testing.assert_array_equal(image, colored(coloring, STACK, z))
    assert max(map(read.count, range(3))) <= 2, "once as itself and once as a neighbour"


def test_alternatives():
    np.testing.assert_array_equal(colored(GreyTriple(), STACK, 1), np.repeat(stretched(STACK[1])[..., None], 3, -1))
    image = colored(NeighbourStack(), STACK, 0)
    np.testing.assert_array_equal(image[..., 0], 0)
    np.testing.assert_array_equal(image[..., 1:], stretched(np.stack([STACK[0], STACK[1]], -1)))


@pytest.mark.parametrize("coloring", [Pseudocoloring(tiles=4, normalize="per_channel"), GreyTriple(), NeighbourStack()])
def test_a_card_brings_the_colouring_back(coloring):
    assert COLORINGS.from_dict(COLORINGS.to_dict(coloring)) == coloring


@COLORINGS.register("before")
@dataclasses.dataclass(frozen=True)
class SliceBefore:
    """A colouring that segkit does not have."""

    gain: float = 1.0

    def color(self, stack, slices):
        for z in slices:
            yield np.repeat(self.gain * stretched(stack[max(z - 1, 0)])[..., None], 3, axis=-1)


def test_a_colouring_of_ones_own_is_stored_as_the_others():
    preprocessing = ColorSlices(coloring=SliceBefore(gain=0.5))
    stored = PREPROCESSINGS.to_dict(preprocessing)
    assert stored == {"kind": "coloring", "coloring": {"kind": "before", "gain": 0.5}, "windows": None}
    assert PREPROCESSINGS.from_dict(stored) == preprocessing
    assert user_modules(preprocessing) == [__name__]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "rainbow"}, "unknown colouring 'rainbow'; choose one of pseudocolor, grey, neighbours"),
        ({"kind": "grey", "tiles": 3}, "colouring 'grey': "),
        ({"kind": "pseudocolor", "tiles": 0}, "`tiles` must be positive"),
        ({"kind": "pseudocolor", "threshold": 1.5}, r"`threshold` must be in \[0, 1\]"),
        ({"kind": "pseudocolor", "max_raises": -1}, "`max_raises` not negative"),
        ({"kind": "pseudocolor", "expected_share": 0.0}, "`expected_share` must be in"),
        ({"kind": "pseudocolor", "threshold": 2.0}, "`threshold` must be in"),
        ({"kind": "pseudocolor", "normalize": "no"}, "normalize 'no'; give one of jointly, per_channel"),
    ],
)
def test_unknown_colourings_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        COLORINGS.from_dict(values)


def test_a_bit_that_tells_no_grey_values_apart_is_left_out_and_makes_no_difference():
    """15 bits hold what a camera of 12 bits saw, in half of the time of 16."""
    rng = np.random.default_rng(0)
    camera = np.clip(rng.normal(300, 60, (96, 96)) + 900 * (rng.random((96, 96)) < 0.2), 0, 4095).astype(np.uint16)
    coloring = Pseudocoloring(tiles=4)
    by_15_bits = coloring.steps(camera)["equalized"]
    by_16_bits = coloring.steps(camera.astype(np.float32))["equalized"]
    np.testing.assert_allclose(by_15_bits, by_16_bits, atol=0.01)
    assert len(np.unique(by_15_bits)) > 256  # never as 8 bit


def test_colours_beyond_their_range_are_its_ends():
    assert in_16_bits(np.array([-0.5, 0.0, 0.5, 1.0, 1.5])).tolist() == [0, 0, 32768, 65535, 65535]


def test_slices_that_are_read_one_after_the_other_are_coloured_in_one_go():
    begun = []

    class Counting(GreyTriple):
        def color(self, stack, indices):
            begun.append(indices)
            yield from super().color(stack, indices)

    colored = ColoredStack(STACK, Counting())
    for z in (0, 1, 2):
        colored.read(z)
    assert begun == [range(0, 3)]
    colored.read(1)
    assert begun == [range(0, 3), range(1, 3)]
