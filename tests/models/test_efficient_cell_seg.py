"""EfficientCellSeg: the published numbers, any size, other encoders, and weights from files."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from tiny_encoder import TINY_ENCODER

from segkit.errors import InputError
from segkit.layers.fusion_block import FusionBlock
from segkit.models import cells_and_centers, efficient_cell_seg
from segkit.models.encoders import ENCODERS, Encoder
from segkit.models.precision import with_precision
from segkit.ops.resize_bilinear import resize_bilinear

SMALL = {"size": 32, "decoder_filters": (4, 3, 2, 2), "encoder": "efficientnet_b0"}
TINY = {"size": 32, "decoder_filters": (4, 2), "encoder": TINY_ENCODER}


def decoder_parameters(model):
    return sum(layer.count_params() for layer in model.layers if layer.name.startswith(("decoder_", "head")))


# Hundreds of layers are initialised shape by shape, minutes of compiling with JAX; the facts are the same.
real_encoder = pytest.mark.skipif(keras.backend.backend() == "jax", reason="large networks of Keras itself")


@pytest.fixture(scope="module")
def default():
    return efficient_cell_seg()


@real_encoder
def test_the_default_has_the_papers_parameters(default):
    model = default
    assert model.count_params() == 6_697_824
    assert decoder_parameters(model) == 1_064_193
    assert model.input_shape == (None, None, None, 3)


@real_encoder
@pytest.mark.parametrize(
    ("filters", "parameters"),
    [((112, 80, 48, 16), 1_963_713), ((256, 128, 64, 32), 4_798_017), ((512, 256, 128, 64), 11_936_897)],
)
def test_the_ablations_decoders(default, filters, parameters):
    whole = ENCODERS["efficientnet_b5"]
    channels = {name: default.get_layer(name).output.shape[-1] for name in (*reversed(whole.skips), whole.cut)}

    def same_channels(*, include_top, weights, input_tensor):
        x = input_tensor
        for name, count in channels.items():
            x = keras.layers.Conv2D(count, 1, strides=2, name=name)(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor), x)

    encoder = dataclasses.replace(whole, build=same_channels, channel_factors=None)
    assert decoder_parameters(efficient_cell_seg(encoder=encoder)) == decoder_parameters(default)
    assert decoder_parameters(efficient_cell_seg(encoder=encoder, decoder_filters=filters)) == parameters


@real_encoder
def test_the_encoder_is_cut_and_joined_where_the_paper_does(default):
    shapes = [default.get_layer(f"decoder_{n}").output.shape[1:] for n in range(1, 5)]
    assert shapes == [(48, 48, 64), (96, 96, 48), (192, 192, 32), (384, 384, 16)]
    assert default.get_layer("block6a_expand_activation").output.shape[1:] == (24, 24, 1056)


def test_any_size_goes_in_and_the_same_comes_out():
    model = efficient_cell_seg(**TINY)
    for y, x in ((32, 32), (45, 70), (20, 33)):
        logits = model(np.zeros((1, y, x, 3), "float32"))["logits"]
        assert tuple(logits.shape) == (1, y, x, 1)


def test_a_compiled_function_of_unknown_size_gives_the_same():
    model = efficient_cell_seg(**TINY)
    for y, x in ((32, 32), (45, 70), (20, 33)):
        image = np.random.default_rng(y).random((2, y, x, 3)).astype("float32")
        compiled, eager = model.predict_on_batch(image)["logits"], np.asarray(model(image)["logits"])
        np.testing.assert_allclose(compiled, eager, rtol=0, atol=2e-5 * np.abs(eager).max())  # order of sums


def test_resizing_there_and_back_is_part_of_the_network():
    model = efficient_cell_seg(**TINY)
    image = np.random.default_rng(0).random((1, 50, 41, 3)).astype("float32")
    within = model(resize_bilinear(image, (32, 32)))["logits"]
    np.testing.assert_allclose(model(image)["logits"], resize_bilinear(within, (50, 41)), atol=1e-5)


@real_encoder
@pytest.mark.parametrize("name", ENCODERS)
def test_other_encoders_fit_the_same_decoder(name):
    model = efficient_cell_seg((50, 40, 3), encoder=name, size=64)
    assert model.output["logits"].shape == (None, 50, 40, 1)
    skips = [model.get_layer(layer).output.shape[1] for layer in ENCODERS[name].skips]
    assert skips == [8, 16, 32]


MOBILE = Encoder(
    build=keras.applications.MobileNetV2,
    cut="block_13_expand_relu",
    skips=("block_6_expand_relu", "block_3_expand_relu", "block_1_expand_relu"),
    weights_file="unknown.h5",
    preprocess=keras.applications.mobilenet_v2.preprocess_input,
)
RESIDUAL = Encoder(
    build=keras.applications.ResNet50,
    cut="conv4_block1_out",
    skips=("conv3_block1_out", "conv2_block1_out", "conv1_relu"),
    weights_file="unknown.h5",
    preprocess=keras.applications.resnet.preprocess_input,
)


@real_encoder
@pytest.mark.parametrize(("own", "first"), [(MOBILE, "Conv1"), (RESIDUAL, "conv1_pad")])
def test_an_encoder_of_ones_own_is_given_what_its_preprocessing_makes(own, first, tmp_path):
    settings = {"encoder": own, "size": 32, "decoder_filters": (4, 3, 2, 2)}
    model = efficient_cell_seg((32, 32, 3), **settings)
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype("float32")
    given = keras.Model(model.input, model.get_layer(first).input)(image)
    np.testing.assert_allclose(given, own.preprocess(255 * image), atol=1e-4)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(image)["logits"], model(image)["logits"], atol=1e-5)


@real_encoder
def test_two_encoders_of_ones_own_stand_side_by_side():
    settings = {"encoder": RESIDUAL, "size": 32, "decoder_filters": (4, 3, 2, 2)}
    model = efficient_cell_seg((32, 32, 3), **settings)
    both = cells_and_centers((40, 32, 3), **settings)
    assert {name: logits.shape for name, logits in both.output.items()} == {
        "logits": (None, 40, 32, 1),
        "centers": (None, 40, 32, 1),
    }
    assert both.count_params() == 2 * model.count_params()
    wide = np.random.default_rng(1).random((1, 40, 32, 3)).astype("float32")
    inputs = [both.get_layer(name).input for name in ("conv1_pad", "centers_conv1_pad")]
    cells, centers = keras.Model(both.input, inputs)(wide)
    np.testing.assert_array_equal(cells, centers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cut": "block_99"}, "MobileNetV2 has no layer 'block_99'"),
        ({"skips": MOBILE.skips[::-1]}, "`skips` must each have twice the resolution .* heights \\[2, 16, 8, 4\\] px"),
        ({"channel_factors": (1.0, 1.0, 1.0)}, "MobileNetV2 has no layer 'stem_conv'"),
        ({"channel_factors": (1.0, 1.0, 1.0), "first_convolution": "bn_Conv1"}, "`first_convolution` must be a layer"),
    ],
)
@real_encoder
def test_an_encoder_whose_layers_do_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        efficient_cell_seg(encoder=dataclasses.replace(MOBILE, **change), size=32)


@keras.saving.register_keras_serializable(package="tests")
class Wider(FusionBlock):
    """A block of one's own."""


def test_blocks_of_the_decoder_may_be_ones_own(tmp_path):
    model = efficient_cell_seg(**TINY, fusion_block=Wider)
    assert [type(model.get_layer(f"decoder_{n}")) for n in (1, 2)] == [Wider, Wider]
    both = cells_and_centers(**TINY, fusion_block=Wider)
    assert type(both.get_layer("centers_decoder_1")) is Wider
    model.save(tmp_path / "m.keras")
    assert type(keras.saving.load_model(tmp_path / "m.keras").get_layer("decoder_1")) is Wider


@real_encoder
def test_a_frozen_encoder_is_not_trained_and_its_normalisation_keeps_still():
    model = efficient_cell_seg(**SMALL, freeze_encoder=True)
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trained == {"decoder_1", "decoder_2", "decoder_3", "decoder_4", "head"}
    normalised = keras.Model(model.input, model.get_layer("stem_bn").output)
    before = np.array(model.get_layer("stem_bn").moving_mean)
    normalised(np.random.default_rng(0).random((2, 32, 32, 3)), training=True)
    np.testing.assert_array_equal(model.get_layer("stem_bn").moving_mean, before)


def normalization(network):
    return next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))


def published_file(folder, name="efficientnetb0_notop.h5"):
    """Write a file of the kind that Keras publishes, with the statistics of ImageNet's colours."""
    network = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    colours = normalization(network)
    colours.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    colours.finalize_state()
    path = folder / name
    network.save_weights(path) if name.endswith(".weights.h5") else network.save(path)
    return network, path


@real_encoder
@pytest.mark.parametrize("name", ["efficientnetb0_notop.h5", "mine.weights.h5"])
def test_weights_of_a_file_give_what_keras_gives_with_them(tmp_path, name):
    network, path = published_file(tmp_path, name)
    model = efficient_cell_seg(**SMALL, encoder_weights=path)
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype("float32")
    # What Keras computes with weights="imagenet": the normalised image times a factor for each colour.
    until = keras.Model(network.input, normalization(network).output)
    rest = keras.Model(network.get_layer("stem_conv_pad").input, network.get_layer("stem_bn").output)
    expected = rest(until(255 * image) / np.sqrt([0.229, 0.224, 0.225]).astype("float32"))
    found = keras.Model(model.input, model.get_layer("stem_bn").output)(image)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@real_encoder
def test_imagenet_means_the_file_in_kerass_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match=r"models/efficientnetb0_notop.h5: no such file; on a machine with internet access run"
    ):
        efficient_cell_seg(**SMALL, encoder_weights="imagenet")
    cached = tmp_path / "models/efficientnetb0_notop.h5"
    cached.parent.mkdir()
    cached.touch()
    assert ENCODERS["efficientnet_b0"].find_weights("imagenet") == cached


@real_encoder
def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    _, path = published_file(tmp_path)
    with pytest.raises(InputError, match="not the weights of EfficientNetV2S without its top"):
        efficient_cell_seg(encoder="efficientnet_v2s", size=32, encoder_weights=path)
    damaged = tmp_path / "damaged.weights.h5"
    damaged.write_bytes(b"no weights")
    with pytest.raises(InputError, match="not the weights of EfficientNetB0") as fault:
        efficient_cell_seg(**SMALL, encoder_weights=damaged)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_shape": (None, None, 1)}, ValueError, "`input_shape` must have 3 channels"),
        ({"size": 40}, ValueError, "`size` must be a multiple of 16"),
        ({"decoder_filters": (4, 3)}, ValueError, "`decoder_filters` must be 4 numbers"),
        ({"encoder": "vgg"}, InputError, "encoder 'vgg'; give one of efficientnet_b5"),
        ({"encoder": keras.applications.MobileNetV2}, ValueError, "`encoder` must be a name or an `Encoder`"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        efficient_cell_seg(**{**SMALL, **arguments})


def test_it_is_saved_and_opened_again_under_either_precision(tmp_path):
    model = efficient_cell_seg(**TINY)
    image = np.random.default_rng(0).random((1, 40, 36, 3)).astype("float32")
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(image)["logits"], model(image)["logits"])
    assert json.loads(again.to_json())["config"]["name"] == "efficient_cell_seg"
    narrow = with_precision(again, "mixed_bfloat16")
    assert keras.backend.standardize_dtype(narrow(image)["logits"].dtype) == "float32"


def test_cells_and_centres_are_two_networks_on_one_input():
    keras.utils.set_random_seed(0)
    both = cells_and_centers(**TINY)
    assert both.count_params() == 2 * efficient_cell_seg(**TINY).count_params()
    assert len({layer.name for layer in both.layers}) == len(both.layers)
    image = np.random.default_rng(0).random((1, 40, 30, 3)).astype(np.float32)
    before = {name: keras.ops.convert_to_numpy(x) for name, x in both(image).items()}
    assert {name: x.shape for name, x in before.items()} == dict.fromkeys(("logits", "centers"), (1, 40, 30, 1))
    for layer in both.layers:
        if layer.name.startswith("centers_"):
            layer.set_weights([0 * values for values in layer.get_weights()])
    after = {name: keras.ops.convert_to_numpy(x) for name, x in both(image).items()}
    np.testing.assert_array_equal(after["logits"], before["logits"])
    assert not after["centers"].any()
    assert before["centers"].any()


def test_untrained_centres_are_taken_for_rare():
    keras.utils.set_random_seed(0)
    found = cells_and_centers(**TINY)(np.zeros((1, 32, 32, 3), np.float32))["centers"]
    assert float(keras.ops.mean(keras.ops.sigmoid(found))) == pytest.approx(0.01, abs=0.005)


def test_cells_and_centres_are_opened_again_under_either_precision(tmp_path):
    keras.utils.set_random_seed(0)
    model = cells_and_centers(**TINY)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    half = with_precision(opened, "mixed_bfloat16")
    assert half.get_layer("centers_head").compute_dtype == "bfloat16"
    for name in ("logits", "centers"):
        expected = keras.ops.convert_to_numpy(model(image)[name])
        np.testing.assert_allclose(keras.ops.convert_to_numpy(opened(image)[name]), expected, atol=1e-6)
        assert keras.backend.standardize_dtype(half(image)[name].dtype) == "float32"
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(half(image)[name]), expected, atol=0.05 * abs(expected).max()
        )


def normalizing_network(*, include_top, weights, input_tensor):
    """Build the tiny network behind a normalisation whose constants are weights, as those of Keras are."""
    norm = keras.layers.Normalization(name="norm")
    fine = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="fine")(norm(input_tensor))
    coarse = keras.layers.Conv2D(6, 3, strides=2, padding="same", name="coarse")(fine)
    network = keras.Model(keras.utils.get_source_inputs(input_tensor), coarse)
    norm.adapt_mean.assign([10.0, 20.0, 30.0])
    norm.adapt_variance.assign([4.0, 9.0, 16.0])
    norm.finalize_state()
    return network


def test_copies_of_a_model_normalise_as_it_does(tmp_path):
    encoder = Encoder(build=normalizing_network, cut="coarse", skips=("fine",), weights_file="n.h5")
    keras.utils.set_random_seed(0)
    both = cells_and_centers(size=32, decoder_filters=(4, 2), encoder=encoder)
    for name in ("norm", "centers_norm"):
        np.testing.assert_allclose(np.ravel(both.get_layer(name).mean), [10, 20, 30])
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    both.save(tmp_path / "m.keras")
    for copy in (keras.saving.load_model(tmp_path / "m.keras"), with_precision(both, "mixed_bfloat16")):
        np.testing.assert_allclose(np.ravel(copy.get_layer("centers_norm").mean), [10, 20, 30])
        for name, expected in both(image).items():
            expected = keras.ops.convert_to_numpy(expected)
            found = keras.ops.convert_to_numpy(copy(image)[name])
            np.testing.assert_allclose(found, expected, atol=0.05 * abs(expected).max())


def test_an_encoder_with_channels_first_is_refused():
    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        with pytest.raises(ValueError, match=r"keras\.config\.set_image_data_format\('channels_last'\)"):
            efficient_cell_seg(size=32, encoder="efficientnet_b0")
    finally:
        keras.config.set_image_data_format(before)
