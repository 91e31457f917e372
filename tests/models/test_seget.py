import keras
import numpy as np
import pytest

from segkit.layers.encoder_block import EncoderBlock
from segkit.models.seget import seget, seget_halo_px

of_full_size = pytest.mark.skipif(keras.backend.backend() == "jax", reason="compiles an initializer for every shape")


def convolutions(layer):
    found = [layer] if isinstance(layer, keras.layers.Conv2D) else []
    return found + [conv for inner in getattr(layer, "_layers", []) for conv in convolutions(inner)]


@of_full_size
def test_has_the_published_size():
    model = seget()
    assert model.count_params() == 4_841_537
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    convs = [conv for layer in model.layers for conv in convolutions(layer)]
    assert len(convs) == 36
    assert trainable < 4_841_537
    assert sum(conv.use_bias for conv in convs) == 1


@of_full_size
def test_channels_of_every_stack_follow_figure_2():
    model = seget()
    into = {
        name: model.get_layer(name).first.conv.kernel.shape[2]
        for name in ("decoder_4", "decoder_3", "decoder_2", "decoder_1", "fuse_context", "fuse_last")
    }
    assert list(into.values()) == [320, 160, 80, 40, 224, 48]
    assert tuple(model.get_layer("center").mix.conv.kernel.shape) == (1, 1, 1280, 256)


def reach_of(model, size, stride):
    """Return how far, to the farther side, an input pixel changes the output: all kernels 1, all sums positive."""
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(np.full(weight.shape, 1 / np.prod(weight.shape[:3]), np.float32))
    flat = np.zeros((1, size, size, 1), np.float32)
    base = model.predict_on_batch(flat)["logits"]
    farthest = 0
    for phase in range(stride):
        spike = flat.copy()
        spike[0, size // 2 + phase, size // 2] = 1e20
        changed = model.predict_on_batch(spike)["logits"] != base
        rows = np.flatnonzero(changed[0].any(axis=(1, 2)))
        farthest = max(farthest, size // 2 + phase - rows[0], rows[-1] - size // 2 - phase)
    return farthest


@pytest.mark.parametrize(("filters", "rates"), [((2, 2), (1, 2)), ((2, 2, 2), (1,))])
def test_the_halo_is_as_far_as_a_pixel_reaches(filters, rates):
    stride = 2 ** len(filters)
    reach = reach_of(seget(filters=filters, dilation_rates=rates), 32 * stride, stride)
    assert seget_halo_px(len(filters), rates) == -(-reach // stride) * stride


def test_the_papers_network_needs_288_pixels():
    assert seget_halo_px() == 288
    assert seget_halo_px(4, (1, 16)) > 288


@pytest.mark.parametrize("channels", [1, 3])
def test_takes_any_divisible_size_and_number_of_channels(channels):
    model = seget(input_shape=(None, None, channels), filters=(2, 4), dilation_rates=(1,))
    for y, x in ((4, 8), (12, 4)):
        logits = model.predict_on_batch(np.zeros((1, y, x, channels), np.float32))["logits"]
        assert logits.shape == (1, y, x, 1)
        assert logits.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": (4,)}, "at least two levels"),
        ({"input_shape": (40, 64, 1)}, "divisible by 16"),
    ],
)
def test_refuses_what_can_not_be_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        seget(**arguments)


def test_a_block_can_be_swapped_for_a_subclass():
    @keras.saving.register_keras_serializable(package="test_seget")
    class Loud(EncoderBlock):
        def call(self, inputs, training=False):
            down, skip = super().call(inputs, training=training)
            return 2 * down, skip

    model = seget(filters=(2, 4), dilation_rates=(1,), encoder_block=Loud)
    assert isinstance(model.get_layer("encoder_1"), Loud)


def test_the_penalty_is_lambda_times_the_squares_of_the_kernels():
    model = seget(filters=(2, 4), dilation_rates=(1, 2), l2=0.5)
    squares = sum(float(np.sum(np.square(keras.ops.convert_to_numpy(w)))) for w in model.weights if w.name == "kernel")
    assert float(sum(model.losses)) == pytest.approx(0.5 * squares, rel=1e-4)
