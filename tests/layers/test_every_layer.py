"""What Keras asks of every layer: its shapes are known in advance, it infers by default, its settings come back."""

import json

import keras
import numpy as np
import pytest

from segkit import layers
from segkit.models import seget, unet, unet_se

SIZE, CHANNELS = (8, 12), 4
CASES = {
    "ConvBNReLU": (lambda: layers.ConvBNReLU(3, strides=2), 1),
    "ConvPairSE": (lambda: layers.ConvPairSE(6, reduction=2), 1),
    "EncoderBlock": (lambda: layers.EncoderBlock(6), 1),
    "FREnhance": (lambda: layers.FREnhance(num_enhanced=2, gain=50.0, redraw=1, seed=0), 1),
    "FusedBatchNorm": (lambda: layers.FusedBatchNorm(), 1),
    "FusionBlock": (lambda: layers.FusionBlock(5, factors=((3, 2), 1)), ((8, 12), (24, 24))),
    "JoinSkip": (lambda: layers.JoinSkip(), ((8, 12), (8, 12))),
    "LinearUp": (lambda: layers.LinearUp((2, 3)), 1),
    "BilinearUp2D": (lambda: layers.BilinearUp2D((2, 3)), 1),
    "MatchStatistics": (lambda: layers.MatchStatistics(), ((8, 12), (8, 12))),
    "MultiScaleCenter": (lambda: layers.MultiScaleCenter(6, dilation_rates=(1, 2)), 1),
    "ResizeLike": (lambda: layers.ResizeLike(), ((8, 12), (5, 7))),
    "ResizeTo": (lambda: layers.ResizeTo(5, 7), 1),
    "SqueezeExcite": (lambda: layers.SqueezeExcite(2), 1),
}


def inputs_of(sizes):
    """Return one tensor, or a list of them."""
    rng = np.random.default_rng(0)
    made = [rng.normal(size=(2, *size, CHANNELS)).astype("float32") for size in ([SIZE] if sizes == 1 else sizes)]
    return made[0] if sizes == 1 else made


def shapes(tensors):
    return [tuple(tensor.shape) for tensor in tensors] if isinstance(tensors, (list, tuple)) else tuple(tensors.shape)


def as_list(tensors):
    return [keras.ops.convert_to_numpy(one) for one in (tensors if isinstance(tensors, (list, tuple)) else [tensors])]


def listed(found):
    """Return a shape, or several, as tuples."""
    return [tuple(one) for one in found] if isinstance(found[0], (list, tuple)) else tuple(found)


def test_all_layers_are_here():
    assert set(CASES) == {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}


@pytest.mark.parametrize("name", CASES)
def test_the_shape_of_the_output_is_known_in_advance(name):
    make, sizes = CASES[name]
    inputs = inputs_of(sizes)
    layer = make()
    assert listed(layer.compute_output_shape(shapes(inputs))) == shapes(layer(inputs))


@pytest.mark.parametrize("name", sorted(set(CASES) - {"ResizeTo", "ResizeLike"}))
def test_unknown_sizes_stay_unknown(name):
    make, sizes = CASES[name]
    known = shapes(make()(inputs_of(sizes)))
    open_shape = lambda shape: (None, None, None, shape[-1])  # noqa: E731
    given = shapes(inputs_of(sizes))
    given = [open_shape(one) for one in given] if isinstance(given, list) else open_shape(given)
    expected = [open_shape(one) for one in known] if isinstance(known, list) else open_shape(known)
    assert listed(make().compute_output_shape(given)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_layer_that_is_called_alone_infers(name):
    make, sizes = CASES[name]
    layer, inputs = make(), inputs_of(sizes)
    for found, expected in zip(as_list(layer(inputs)), as_list(layer(inputs, training=False)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_settings_come_back(name):
    make, sizes = CASES[name]
    layer, inputs = make(), inputs_of(sizes)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for one in (layer, again):
        one(inputs)
    again.set_weights(layer.get_weights())
    for found, expected in zip(as_list(again(inputs)), as_list(layer(inputs)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [layers.MatchStatistics, layers.ResizeLike])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_layer_of_two_tensors_takes_no_other_number(make, count):
    tensor = inputs_of(1)
    given = [tensor] * count if count != 2 else tensor  # a single tensor of a batch of two unpacks into two as well
    with pytest.raises(ValueError, match=f"{make.__name__}: `inputs` must be two tensors"):
        make()(given)


@pytest.mark.parametrize("make", [layers.MatchStatistics, layers.ResizeLike])
@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (2, 4, 3)])
def test_a_second_tensor_of_other_images_is_not_repeated(make, shape):
    with pytest.raises(ValueError, match=r"same number of axes and of images. Received: shapes \(2, 4, 4, 3\) and"):
        make()([np.zeros((2, 4, 4, 3), "float32"), np.zeros(shape, "float32")])


def test_only_images_are_resized():
    with pytest.raises(ValueError, match=r"must be images \(batch, y, x, channels\). Received: shape=\(2, 4, 3\)"):
        layers.ResizeTo(2, 2)(np.zeros((2, 4, 3), "float32"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.ConvBNReLU(0), "`filters` must be a positive whole number. Received: filters=0"),
        (lambda: layers.ConvBNReLU(True), "filters=True"),
        (lambda: layers.ConvBNReLU(4, l2=float("nan")), "`l2` must be a finite number. Received: l2=nan"),
        (lambda: layers.ConvBNReLU(4, l2="1e-4"), "`l2` must be a finite number. Received: l2='1e-4'"),
        (lambda: layers.ConvBNReLU(4, l2=-1.0), "`l2` must not be negative. Received: l2=-1.0"),
        (lambda: layers.ConvBNReLU(4, use_bias="no"), "`use_bias` must be True or False. Received: use_bias='no'"),
        (
            lambda: layers.FusionBlock(4, factors=2),
            "`factors` must be a sequence of whole numbers. Received: factors=2",
        ),
        (lambda: layers.MultiScaleCenter(4, dilation_rates=2), "`dilation_rates` must be a sequence of whole numbers"),
        (lambda: layers.ConvPairSE(0), "filters=0"),
        (lambda: layers.ConvPairSE(4, reduction=2.5), "reduction=2.5"),
        (lambda: layers.FusionBlock(0), "filters=0"),
        (lambda: layers.MultiScaleCenter(0), "filters=0"),
        (lambda: layers.EncoderBlock(1), "`filters` must be a whole number of at least 2. Received: filters=1"),
        (lambda: layers.EncoderBlock(6.5), "filters=6.5"),
        (lambda: layers.SqueezeExcite(2.5), "`reduction` must be a positive whole number. Received: reduction=2.5"),
        (lambda: layers.ResizeTo(4.5, 3), r"`height` must be a positive whole number. Received: height=4.5"),
        (lambda: layers.ResizeTo(4, 0), r"`width` must be a positive whole number. Received: width=0"),
        (lambda: layers.MatchStatistics(-1.0), "`epsilon` must not be negative. Received: epsilon=-1.0"),
        (lambda: layers.MatchStatistics(float("nan")), "`epsilon` must not be negative. Received: epsilon=nan"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make", [lambda: layers.ConvBNReLU(4), layers.SqueezeExcite, lambda: layers.FusionBlock(4, factors=(1, 1))]
)
def test_an_unknown_number_of_channels_is_refused(make):
    layer, shape = make(), (None, 8, 12, None)
    with pytest.raises(ValueError, match=f"{layer.name}: the number of channels must be known; .* 8, 12, None"):
        layer.build([shape, shape] if isinstance(layer, layers.FusionBlock) else shape)


@pytest.mark.parametrize("is_built", [False, True])
def test_a_single_tensor_is_not_fused(is_built):
    layer = layers.FusionBlock(3, factors=(1, 1))
    if is_built:
        layer([inputs_of(1)] * 2)
    with pytest.raises(ValueError, match=r"`inputs` must be one tensor per factor\. Received: a single tensor"):
        layer(inputs_of(1))


@pytest.mark.parametrize("make", [layers.JoinSkip, lambda: layers.FusionBlock(3, factors=(1, 1))])
def test_sizes_that_do_not_meet_are_told(make):
    layer = make()
    inputs = [keras.Input((None, None, 2)) for _ in range(2)]
    model = keras.Model(inputs, layer(inputs))
    with pytest.raises(
        ValueError, match=r"the same for all inputs\. Received: \(8, 6\) and \(8, 7\)\. .* product of its"
    ):
        model([np.zeros((1, 8, 6, 2), np.float32), np.zeros((1, 8, 7, 2), np.float32)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.ConvBNReLU(np.int64(4), np.int64(3), strides=np.array([1, 1]), l2=np.float32(1e-3)),
        lambda: layers.EncoderBlock(np.int64(4), strides=(np.int64(1), np.int64(2)), l2=np.float32(1e-3)),
        lambda: layers.FusionBlock(np.int64(4), factors=np.array([1])),
        lambda: layers.MultiScaleCenter(np.int64(4), dilation_rates=[1, np.int64(2)], l2=np.float32(1e-3)),
        lambda: layers.SqueezeExcite(np.int64(2)),
        lambda: layers.FREnhance(np.int64(2), np.float32(9.0), redraw=np.int64(2), seed=np.int64(1)),
        lambda: unet(filters=np.array([2, 4]), kernel_sizes=np.int64(3), strides=np.array([2]), l2=np.float32(1e-3)),
        lambda: seget(filters=np.array([2, 4]), dilation_rates=np.array([1, 2]), l2=np.float32(1e-3)),
        lambda: unet_se(filters=[np.int64(2), np.int64(4)], num_classes=np.int64(3)),
    ],
)
def test_numbers_of_numpy_are_numbers(make):
    layer = make()
    if not isinstance(layer, keras.Model):
        inputs = inputs_of(1) if not isinstance(layer, layers.FusionBlock) else [inputs_of(1)]
        layer(inputs)
    assert json.dumps(layer.get_config())


@pytest.fixture
def channels_first():
    before = keras.config.image_data_format()
    yield lambda: keras.config.set_image_data_format("channels_first")
    keras.config.set_image_data_format(before)


@pytest.mark.parametrize("name", CASES)
def test_channels_come_last_whatever_keras_is_set_to(name, channels_first):
    make, sizes = CASES[name]
    inputs, found = inputs_of(sizes), []
    for switch in (lambda: None, channels_first):
        switch()
        keras.utils.set_random_seed(3)
        found.append(as_list(make()(inputs, training=True)))
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_sizes_that_do_not_meet_are_named():
    coarse, skip = np.zeros((1, 4, 6, 2), "float32"), np.zeros((1, 7, 12, 2), "float32")
    message = r"sizes times factors must be the same.*\(8, 12\) and \(7, 12\).*multiple"
    with pytest.raises(ValueError, match=message):
        layers.FusionBlock(3)([coarse, skip])
    inputs = keras.Input((None, None, 2)), keras.Input((None, None, 2))
    model = keras.Model(inputs, layers.FusionBlock(3)(list(inputs)))
    assert model([coarse, np.zeros((1, 8, 12, 2), "float32")]).shape == (1, 8, 12, 3)
    with pytest.raises(ValueError, match=message):
        model([coarse, skip])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's graphs tell shapes that are unknown")
def test_a_size_that_is_known_stays_known_in_a_graph():
    import tensorflow as tf

    layer = layers.ResizeLike()
    traced = tf.function(lambda values, like: layer([values, like])).get_concrete_function(
        tf.TensorSpec((1, 4, 4, 2)), tf.TensorSpec((1, 8, None, 1))
    )
    assert traced.structured_outputs.shape.as_list() == [1, 8, None, 2]
