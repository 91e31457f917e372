import keras
import numpy as np
import pytest

from segkit.layers.conv_bn_relu import ConvBNReLU
from segkit.layers.encoder_block import EncoderBlock
from segkit.layers.fusion_block import FusionBlock
from segkit.layers.linear_up import LinearUp
from segkit.layers.multi_scale_center import MultiScaleCenter


def image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(result):
    return keras.ops.convert_to_numpy(result)


def reach(layer, size=41):
    """Return how far from the centre one input pixel changes the output."""
    flat = np.zeros((1, size, size, 1), np.float32)
    spike = flat.copy()
    spike[0, size // 2, size // 2] = 1.0
    layer(flat)
    for weight in layer.weights:
        if weight.name == "kernel":
            weight.assign(np.ones(weight.shape, np.float32))
    changed = np.abs(array(layer(spike)) - array(layer(flat))).max(axis=(0, 3)) > 0
    rows = np.flatnonzero(changed.any(axis=1))
    return (rows[-1] - rows[0]) // 2


def test_convolution_without_bias_is_normalised_then_rectified():
    layer = ConvBNReLU(3)
    inputs = image(2, 6, 6, 2)
    out = array(layer(inputs, training=True))
    assert [w.name for w in layer.weights if w.name == "bias"] == []
    plain = array(layer.conv(inputs))
    mean, variance = plain.mean(axis=(0, 1, 2)), plain.var(axis=(0, 1, 2))
    np.testing.assert_allclose(out, np.maximum((plain - mean) / np.sqrt(variance + 1e-3), 0), atol=1e-4)


def test_kernels_begin_with_the_spread_that_rectified_layers_keep():
    layer = ConvBNReLU(512)
    layer.build((None, 8, 8, 64))
    kernel = array(layer.conv.kernel)
    # He et al. (2015): of 9 x 64 inputs half are rectified.
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.03)
    assert abs(kernel.mean()) < 0.01 * kernel.std()


def test_statistics_follow_within_tens_of_steps():
    layer, inputs = ConvBNReLU(3), image(2, 6, 6, 2)
    layer(inputs, training=True)
    plain = array(layer.conv(inputs))
    np.testing.assert_allclose(array(layer.norm.moving_mean), 0.05 * plain.mean(axis=(0, 1, 2)), atol=1e-6)


def test_renormalisation_is_bounded_as_in_its_paper():
    layer = ConvBNReLU(3, normalization="renorm")
    layer.build((None, 6, 6, 2))
    assert layer.norm.renorm and layer.norm.renorm_momentum == layer.norm.momentum == 0.95
    # Ioffe (2017), Sec. 4: r_max = 3, d_max = 5.
    assert layer.norm.renorm_clipping == {"rmin": pytest.approx(1 / 3), "rmax": 3, "dmax": 5}


def test_negative_l2_is_refused():
    with pytest.raises(ValueError, match="`l2` must not be negative"):
        ConvBNReLU(2, l2=-1.0)


def test_encoder_block_hands_on_half_the_channels_and_halves_the_resolution():
    down, skip = EncoderBlock(6)(image(1, 8, 12, 2))
    assert tuple(down.shape) == (1, 4, 6, 6)
    assert tuple(skip.shape) == (1, 8, 12, 3)


def test_encoder_block_reduces_inside_the_main_chain():
    block = EncoderBlock(6)
    block.build((None, 8, 8, 2))
    assert [tuple(layer.conv.kernel.shape[2:]) for layer in (block.first, block.second, block.reduce, block.down)] == [
        (2, 6),
        (6, 6),
        (6, 3),
        (3, 6),
    ]


@pytest.mark.parametrize(("rates", "expected"), [((1,), 3), ((1, 2, 4, 8), 10)])
def test_center_sees_as_far_as_its_largest_dilation(rates, expected):
    assert reach(MultiScaleCenter(2, dilation_rates=rates)) == expected


def test_center_mixes_every_view_and_its_own_input():
    center = MultiScaleCenter(4, dilation_rates=(1, 3))
    center.build((None, 8, 8, 2))
    assert tuple(center.mix.conv.kernel.shape) == (1, 1, 12, 4)


@pytest.mark.parametrize("rates", [(), (0, 1)])
def test_center_refuses_rates_without_meaning(rates):
    with pytest.raises(ValueError, match="`dilation_rates` must"):
        MultiScaleCenter(2, dilation_rates=rates)


def test_fusion_brings_every_input_to_one_resolution():
    fused = FusionBlock(3, factors=(4, 2, 1))([image(1, 2, 3, 5), image(1, 4, 6, 2), image(1, 8, 12, 1)])
    assert tuple(fused.shape) == (1, 8, 12, 3)


def test_fusion_upsamples_bilinearly_before_it_convolves():
    coarse, skip = image(1, 2, 2, 1), image(1, 4, 4, 1)
    block = FusionBlock(2)
    out = array(block([coarse, skip]))
    joined = keras.ops.concatenate([LinearUp(2)(coarse), skip], axis=-1)
    np.testing.assert_allclose(out, array(block.second(block.first(joined))), atol=1e-6)


def test_fusion_refuses_another_number_of_inputs():
    with pytest.raises(ValueError, match="one tensor per factor"):
        FusionBlock(2, factors=(2, 1))([image(1, 2, 2, 1)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearUp(0), "`factor` must be a positive whole number"),
        (lambda: FusionBlock(2, factors=()), "`factors` must hold"),
        (lambda: EncoderBlock(1), "`filters` must be a whole number of at least 2"),
    ],
)
def test_arguments_without_meaning_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
