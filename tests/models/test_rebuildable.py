"""A network that no file could give back is refused before it is trained, and by name."""

import random

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.models.rebuildable import check_rebuildable
from segkit.models.seget import seget
from segkit.models.unet import unet


def sample():
    return np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")


class Scaled(keras.layers.Layer):
    """Convolve; a base for layers that keep too little of themselves."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(units, 3, padding="same")

    def build(self, input_shape):
        self.conv.build(input_shape)

    def call(self, inputs):
        return self.conv(inputs)

    def get_config(self):
        return keras.layers.Layer.get_config(self)


@keras.saving.register_keras_serializable(package="test_rebuildable")
class Forgets(Scaled):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)


@keras.saving.register_keras_serializable(package="test_rebuildable")
class ForgetsADefault(Scaled):
    def __init__(self, units=4, **kwargs):
        super().__init__(units, **kwargs)


@keras.saving.register_keras_serializable(package="test_rebuildable")
class HasNoConfig(keras.layers.Layer):
    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


@keras.saving.register_keras_serializable(package="test_rebuildable")
class Mode(keras.layers.Layer):
    """Keeps its argument, or not."""

    def __init__(self, factor=1.0, keeps=True, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.keeps = factor, keeps

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {**super().get_config(), **({"factor": self.factor} if self.keeps else {})}


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def network_with(layer):
    inputs = keras.Input((None, None, 1))
    x = layer(keras.layers.Conv2D(2, 1)(inputs))
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(x)})


BAD = [
    (lambda: Forgets(3, name="mine"), "'mine' of the class Forgets .*missing 1 required .*'units'.*from get_config"),
    (lambda: ForgetsADefault(3, name="mine"), "'mine' of the class ForgetsADefault .*weights get other shapes"),
    (lambda: HasNoConfig(abs, name="mine"), "'mine' of the class HasNoConfig .*it has no get_config.*; register"),
    (lambda: Unregistered(name="mine"), "'mine' of the class Unregistered .*Could not locate class 'Unregistered'"),
    (lambda: keras.layers.Lambda(lambda x: 2 * x, name="mine"), "'mine' of the class Lambda .*in place of the Lambda"),
]


@pytest.mark.parametrize(("layer", "message"), BAD)
def test_the_layer_is_named_with_the_remedy_in_one_line(layer, message):
    with pytest.raises(InputError, match=message) as fault:
        check_rebuildable(network_with(layer()), sample)
    assert "\n" not in str(fault.value)
    assert "Exception encountered" not in str(fault.value)


def test_a_layer_of_an_inner_network_is_named():
    inner = keras.Sequential([keras.Input((None, None, 2)), Forgets(2, name="deep")], name="inner")
    with pytest.raises(InputError, match="'deep' of the class Forgets"):
        check_rebuildable(network_with(inner), sample)


def test_an_argument_that_only_the_next_layer_misses_is_told_of_the_layer_that_forgets_it():
    model = keras.Sequential([keras.Input((None, None, 1)), ForgetsADefault(3, name="last")])
    with pytest.raises(InputError, match="'last' of the class ForgetsADefault"):
        check_rebuildable(model, sample)


@pytest.mark.parametrize("build", [lambda: seget(filters=(2, 4), dilation_rates=(1, 2)), lambda: unet(filters=(2, 4))])
def test_what_can_be_rebuilt_passes_and_nothing_random_is_drawn(build):
    def drawn(checked):
        keras.utils.set_random_seed(3)
        model = build()
        if checked:
            check_rebuildable(model, sample)
        after = keras.layers.Dense(2)
        after.build((None, 2))
        return [
            *model.get_weights(),
            *after.get_weights(),
            random.random(),
            np.random.rand(),
            keras.random.normal((2,)),
        ]

    for one, other in zip(drawn(True), drawn(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_compiled_network_passes_and_stays_compiled():
    model = network_with(keras.layers.Dropout(0.5))
    model.compile("adam", {"logits": lambda y_true, y_pred: keras.ops.mean(y_pred)})
    check_rebuildable(model, sample)
    assert model.compiled


def test_an_argument_that_changes_no_weights_shows_in_the_outputs():
    check_rebuildable(network_with(Mode(-5.0, name="mine")), sample)
    check_rebuildable(network_with(Mode(1.0, keeps=False, name="mine")), sample)  # as the default is
    with pytest.raises(InputError, match=r"other outputs with the same weights; .*get_config.*'mine'") as fault:
        check_rebuildable(network_with(Mode(-5.0, keeps=False, name="mine")), sample)
    assert "\n" not in str(fault.value)


def test_networks_without_layers_of_a_user_are_not_called():
    check_rebuildable(seget(filters=(2, 4), dilation_rates=(1, 2)), lambda: pytest.fail("called"))
