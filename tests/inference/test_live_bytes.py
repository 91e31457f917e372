import keras
import pytest
from tiny_models import tiny_seget

from segkit.inference.live_bytes import live_bytes, live_bytes_per_px, peak_live_bytes

TRACED = keras.backend.backend() in ("tensorflow", "jax")


def test_an_array_lives_until_its_last_use():
    """While d (3) is made of b, the arrays a (1, used later), b (5) and d are alive; c was never used."""
    steps = [
        ([], [("a", 1)]),
        ([("a", 1)], [("b", 5), ("c", 2)]),
        ([("b", 5)], [("d", 3)]),
        ([("a", 1), ("d", 3)], [("e", 1)]),
    ]
    assert peak_live_bytes(steps) == 9
    assert peak_live_bytes(steps[:1]) == 1
    assert peak_live_bytes([]) == 0


def test_weights_do_not_count():
    assert peak_live_bytes([([("weights", 1000)], [("a", 4)]), ([("a", 4)], [("b", 4)])]) == 8


def test_an_array_used_twice_by_one_operation_is_let_go_once():
    steps = [([], [("a", 4)]), ([("a", 4), ("a", 4)], [("b", 4)]), ([("b", 4)], [("c", 4)])]
    assert peak_live_bytes(steps) == 8


@pytest.mark.skipif(not TRACED, reason="this backend has no trace")
def test_a_wider_network_costs_more_in_proportion():
    """Between two convolutions of `width` channels, twice `width` float32 are alive at a pixel."""

    def cost(width):
        inputs = keras.Input((None, None, 1))
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(inputs)
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        return live_bytes_per_px(keras.Model(inputs, x))

    assert cost(8) == pytest.approx(2 * 8 * 4, rel=0.1)
    assert cost(64) == pytest.approx(2 * 64 * 4, rel=0.1)


@pytest.mark.skipif(not TRACED, reason="this backend has no trace")
def test_the_cost_of_seget_is_a_pixels():
    assert 20 < live_bytes_per_px(tiny_seget(), multiple=4) < 100


@pytest.mark.skipif(not TRACED, reason="this backend has no trace")
def test_a_network_that_resizes_its_input_costs_what_it_computes_at():
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(64, 3, padding="same", use_bias=False)(keras.ops.image.resize(inputs, (128, 128)))
    network = keras.Model(inputs, keras.layers.Conv2D(64, 3, padding="same", use_bias=False)(x))
    assert live_bytes(network, (32, 32)) == pytest.approx(2 * 64 * 4 * 128**2, rel=0.1)
    assert live_bytes(network, (64, 64)) == pytest.approx(2 * 64 * 4 * 128**2, rel=0.1)
