"""Shapes that no network can be built for, and other arguments of a wrong type, are refused by name."""

import pytest
from tiny_encoder import TINY_ENCODER

from segkit.models import efficient_cell_seg, seget, unet, unet_se
from segkit.models.input_shape import check_input_shape

WRONG = [(32, 32), (32, 32, 32, 1), (None, None, None), (32.0, 32, 1), (0, 32, 1), (True, 32, 1), 32, "abc", None]


@pytest.mark.parametrize("shape", [(None, None, 1), (32, None, 3), [16, 48, 2]])
def test_shapes_are_taken(shape):
    assert check_input_shape(shape) is None


@pytest.mark.parametrize("shape", WRONG)
@pytest.mark.parametrize("check", [check_input_shape, lambda shape: seget(input_shape=shape), unet_se])
def test_what_is_no_shape_of_slices_is_refused(check, shape):
    with pytest.raises(ValueError, match=r"`input_shape` must be \(y, x, channels\).*Received: input_shape="):
        check(shape)


def test_a_network_of_any_number_of_axes_asks_for_its_own():
    with pytest.raises(ValueError, match=r"`input_shape` must be \(z, y, x, channels\)"):
        unet((None, None, None, None))
    with pytest.raises(ValueError, match=r"`input_shape` must be \(y, x, channels\)"):
        unet((32, "32", 1))
    with pytest.raises(ValueError, match=r"`input_shape` must be a sequence of sizes. Received: input_shape=32"):
        unet(32)


def test_the_cell_network_asks_too():
    with pytest.raises(ValueError, match=r"`input_shape` must be \(y, x, channels\)"):
        efficient_cell_seg((None, None, None, 3), size=16, decoder_filters=(4, 2), encoder=TINY_ENCODER)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: seget(filters=8), "`filters` must be a sequence of whole numbers. Received: filters=8"),
        (lambda: seget(dilation_rates=2), "`dilation_rates` must be a sequence of whole numbers"),
        (lambda: seget(l2="1e-4"), "`l2` must be a finite number. Received: l2='1e-4'"),
        (lambda: unet(filters=32), "`filters` must be a sequence of whole numbers. Received: filters=32"),
        (lambda: unet(kernel_sizes=None), "`kernel_sizes` must be a sequence of whole numbers"),
        (lambda: unet(out_channels="2"), "`out_channels` must be a positive whole number"),
        (lambda: unet_se(filters=32), "`filters` must be a sequence of whole numbers. Received: filters=32"),
        (lambda: unet_se(num_classes=2.5), "`num_classes` must be a whole number of at least 2"),
        (lambda: unet_se(match_skip="no"), "`match_skip` must be True or False"),
        (lambda: unet_se(supervision="no"), "`supervision` must be True or False"),
        (lambda: efficient_cell_seg(size="64"), "`size` must be a positive whole number. Received: size='64'"),
        (lambda: efficient_cell_seg(prior="x"), "`prior` must be a finite number. Received: prior='x'"),
        (lambda: efficient_cell_seg(decoder_filters=4), "`decoder_filters` must be a sequence of whole numbers"),
        (lambda: efficient_cell_seg(freeze_encoder="no"), "`freeze_encoder` must be True or False"),
    ],
)
def test_arguments_of_another_type_are_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()
