"""Blocks take lines, images and volumes: a volume under flat kernels is its slices, and every axis is alike."""

import keras
import numpy as np
import pytest

from segkit import layers

RNG = np.random.default_rng(3)
FLAT = (1, 3, 3)


def array(result):
    return keras.ops.convert_to_numpy(result)


def volume(channels, size=(3, 8, 8)):
    return RNG.normal(size=(1, *size, channels)).astype("float32")


BLOCKS = {
    "ConvBNReLU": (lambda flat: layers.ConvBNReLU(3, FLAT if flat else 3, use_bias=True), 2),
    "strided": (lambda flat: layers.ConvBNReLU(3, FLAT if flat else 3, strides=(1, 2, 2) if flat else 2), 2),
    "EncoderBlock": (
        lambda flat: layers.EncoderBlock(4, **({"kernel_size": FLAT, "strides": (1, 2, 2)} if flat else {})),
        2,
    ),
    "MultiScaleCenter": (
        lambda flat: layers.MultiScaleCenter(
            3,
            dilation_rates=((1, 1, 1), (1, 2, 2)) if flat else (1, 2),
            **({"kernel_size": FLAT} if flat else {}),
        ),
        2,
    ),
    "FusionBlock": (
        lambda flat: layers.FusionBlock(
            3, factors=((1, 2, 2), 1) if flat else (2, 1), **({"kernel_size": FLAT} if flat else {})
        ),
        [2, 1],
    ),
    "LinearUp": (lambda flat: layers.LinearUp((1, 3, 3) if flat else 3), 2),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_volume_under_flat_kernels_is_its_slices(name):
    make, channels = BLOCKS[name]
    inputs = [volume(channels[0], (3, 4, 4)), volume(channels[1])] if isinstance(channels, list) else volume(channels)
    deep, plane = make(flat=True), make(flat=False)
    slices = keras.tree.map_structure(lambda part: part[0], inputs)  # z becomes the batch
    deep(inputs)
    plane(slices)
    for mine, other in zip(plane.weights, deep.weights, strict=True):
        values = RNG.uniform(0.5, 1.5, mine.shape).astype("float32")
        mine.assign(values)
        other.assign(values.reshape(other.shape))
    found, expected = (keras.tree.flatten(layer(part)) for layer, part in ((deep, inputs), (plane, slices)))
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(array(mine)[0], array(other), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "kind",
    [layers.SqueezeExcite, layers.FusedBatchNorm, layers.MatchStatistics],
)
def test_statistics_do_not_ask_how_positions_are_arranged(kind):
    deep = volume(4, (2, 3, 4))
    flat = deep.reshape(1, 6, 4, 4)
    arguments = {"training": True} if kind is layers.FusedBatchNorm else {}

    def called(part):
        keras.utils.set_random_seed(0)
        return array(kind()([part, part * 3 + 1] if kind is layers.MatchStatistics else part, **arguments))

    np.testing.assert_allclose(called(deep).reshape(flat.shape), called(flat), rtol=1e-4, atol=1e-5)


def test_upsampling_treats_every_axis_alike():
    values = volume(2, (2, 3, 4))
    turned = values.transpose(0, 3, 1, 2, 4)
    found = array(layers.LinearUp((2, 3, 1))(values))
    assert found.shape == (1, 4, 9, 4, 2)
    np.testing.assert_allclose(
        array(layers.LinearUp((1, 2, 3))(turned)), found.transpose(0, 3, 1, 2, 4), rtol=1e-5, atol=1e-6
    )


def test_a_line_is_an_image_of_one_row():
    line = volume(2, (9,))
    found = array(layers.LinearUp(2)(line))
    np.testing.assert_allclose(found, array(layers.LinearUp((1, 2))(line[:, None]))[:, 0], rtol=1e-6)


def test_a_convolution_of_a_line_is_that_of_an_image_of_one_row():
    line = volume(2, (9,))
    of_line, of_image = layers.ConvBNReLU(3), layers.ConvBNReLU(3, (1, 3))
    found = array(of_line(line))
    of_image(line[:, None])
    of_image.conv.kernel.assign(array(of_line.conv.kernel)[None])
    np.testing.assert_allclose(found, array(of_image(line[:, None]))[:, 0], rtol=1e-5, atol=1e-6)


def test_renormalised_volumes_train():
    layer = layers.ConvPairSE(4, reduction=2, normalization="renorm", kernel_size=(1, 3, 3))
    inputs = volume(2, (2, 4, 4))
    assert array(layer(inputs, training=True)).shape == (1, 2, 4, 4, 4)
    assert tuple(layer.first.conv.kernel.shape) == (1, 3, 3, 2, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.ConvBNReLU(2, (3, 3))(volume(1)), "kernel_size"),
        (lambda: layers.ConvBNReLU(2)(np.zeros((1, 2), "float32")), "one to three spatial axes"),
        (lambda: layers.ConvBNReLU(2, strides=(1, 0)), "`strides` must be a positive whole number, or one per axis"),
        (lambda: layers.LinearUp((2, 2))(volume(1)), "factor"),
        (lambda: layers.FusionBlock(2, factors=((1, 2), 1)).build([(1, 2, 2, 2, 1)] * 2), "`factors` must be one"),
        (lambda: layers.MultiScaleCenter(2, dilation_rates=(1, 0)), "`dilation_rates` must be a positive"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
