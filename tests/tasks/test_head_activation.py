import keras
import pytest
from own_task import DenoisingTask

import segkit
from segkit.tasks.classes import ClassesTask
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.head_activation import head_activation

layers = keras.layers


def conv(x, channels=1, activation=None):
    return layers.Conv2D(channels, 1, activation=activation, dtype="float32")(x)


def network(head, name="logits", channels=1):
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, {name: head(layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))})


def inside_another(head):
    inner = network(head)
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, inner(inputs))


@keras.saving.register_keras_serializable(package="tests")
class OwnConvolution(layers.Conv2D):
    """A convolution that is a subclass."""


class OwnModel(keras.Model):
    """A model that is a subclass, and no graph of layers."""

    def __init__(self):
        super().__init__()
        self.convolution = layers.Conv2D(1, 1, activation="sigmoid")

    def call(self, x):
        return self.convolution(x)


class ActivatedFirst(layers.Layer):
    """A layer with an activation that does not come last."""

    activation = staticmethod(keras.activations.sigmoid)

    def call(self, x):
        return 20 * self.activation(x) - 10


ACTIVATED = {
    "argument": (lambda x: conv(x, activation="sigmoid"), "sigmoid"),
    "relu": (lambda x: conv(x, activation="relu"), "relu"),
    "function": (lambda x: conv(x, activation=keras.ops.sigmoid), "sigmoid"),
    "subclass": (lambda x: OwnConvolution(1, 1, activation="tanh")(x), "tanh"),
    "dense": (lambda x: layers.Dense(1, activation="hard_sigmoid")(x), "hard_sigmoid"),
    "layer": (lambda x: layers.Activation("sigmoid")(conv(x)), "sigmoid"),
    "Softmax": (lambda x: layers.Softmax()(conv(x)), "Softmax"),
    "ReLU": (lambda x: layers.ReLU()(conv(x)), "ReLU"),
    "operation": (lambda x: keras.ops.sigmoid(conv(x)), "sigmoid"),
    "cast": (lambda x: keras.ops.cast(keras.ops.cast(conv(x, activation="sigmoid"), "float16"), "float32"), "sigmoid"),
    "identity": (lambda x: layers.Activation("linear")(layers.Activation("sigmoid", dtype="float16")(x)), "sigmoid"),
}


@pytest.mark.parametrize("build", [network, inside_another])
@pytest.mark.parametrize("kind", ACTIVATED)
def test_a_head_that_gives_probabilities_is_refused(kind, build):
    head, name = ACTIVATED[kind]
    channels = {"identity": 4}.get(kind, 1)
    model = build(head)
    assert head_activation(model.output["logits"]) == name
    if channels == 1:
        with pytest.raises(ValueError, match=f"must give logits in 'logits'.*leave out the activation.*={name!r}"):
            ForegroundTask().check_model(model)


@pytest.mark.parametrize(
    "head",
    [
        conv,
        lambda x: layers.Activation("linear", dtype="float32")(conv(x)),
        lambda x: keras.ops.cast(conv(x), "float32"),
        lambda x: layers.Rescaling(20.0, offset=-10.0)(conv(x, activation="sigmoid")),  # limited logits
        lambda x: layers.Activation(lambda share: 20 * share - 10)(conv(x, activation="sigmoid")),
        lambda x: conv(x, activation=lambda logits: 2 * logits),
        lambda x: layers.BatchNormalization()(conv(x)),
        lambda x: layers.Concatenate()([conv(x, activation="relu")]),
        lambda x: ActivatedFirst()(conv(x)),
        lambda x: OwnModel()(x),  # nothing is known about it
    ],
)
@pytest.mark.parametrize("build", [network, inside_another])
def test_logits_of_all_sorts_are_taken(head, build):
    model = build(head)
    assert head_activation(model.output["logits"]) is None
    ForegroundTask().check_model(model)


def test_every_output_of_logits_is_looked_at():
    task = ClassesTask(class_names=("a", "b"), supervision=0.3)
    inputs = keras.Input((None, None, 1))
    good, bad = conv(inputs, 2), conv(inputs, 2, "softmax")
    task.check_model(keras.Model(inputs, {"logits": good, "deep_logits": conv(inputs, 2)}))
    with pytest.raises(ValueError, match="must give logits in 'deep_logits'"):
        task.check_model(keras.Model(inputs, {"logits": good, "deep_logits": bad}))


def test_images_may_end_in_an_activation():
    DenoisingTask().check_model(network(lambda x: conv(x, activation="relu"), "values"))


def test_the_networks_of_segkit_end_in_logits():
    for model in (segkit.models.seget(filters=(2, 4)), segkit.models.unet(filters=(2, 4))):
        ForegroundTask().check_model(model)


@pytest.mark.parametrize("make", [lambda x: x, lambda x: [x], lambda x: (x, x)])
def test_a_network_without_named_outputs_is_told_to_name_them(make):
    inputs = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match=r"must give 'logits' of 1 channel .*dict: keras.Model\(inputs, \{'logits'"):
        ForegroundTask().check_model(keras.Model(inputs, make(conv(inputs))))
