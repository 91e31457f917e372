import keras
import numpy as np
import pytest

from segkit.tasks.output import Output, check_outputs

VALUES = np.array([[-2.0, 0.0, 3.0]], np.float16)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("sigmoid", 1 / (1 + np.exp([[2.0, 0.0, -3.0]]))),
        ("softmax", np.exp([[-2.0, 0.0, 3.0]]) / (np.exp(-2) + 1 + np.exp(3))),
        ("linear", [[-2.0, 0.0, 3.0]]),
    ],
)
def test_activated_values_are_float32(activation, expected):
    maps = Output(name="logits", channels=3, span=(0, 3), activation=activation).activated(VALUES)
    assert keras.backend.standardize_dtype(maps.dtype) == "float32"
    np.testing.assert_allclose(keras.ops.convert_to_numpy(maps), expected, rtol=1e-5)


def model(**channels):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, {name: keras.layers.Conv2D(count, 1)(inputs) for name, count in channels.items()})


def test_outputs_are_compared_by_name_and_channels():
    outputs = [Output(name="logits", channels=2, span=(0, 1)), Output(name="aux", channels=1, span=(0, 1))]
    check_outputs(model(aux=1, logits=2), outputs, "mine")
    for wrong in model(logits=2), model(logits=2, aux=2), model(logits=2, aux=1, more=1):
        with pytest.raises(ValueError, match=r"'logits' of 2 channels and 'aux' of 1 channel for .* 'mine'"):
            check_outputs(wrong, outputs, "mine")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "relu"}, "`activation` must be one of .*'softmax'.* Received: activation='relu'"),
        ({"channels": 0}, "`channels` must be a positive whole number. Received: channels=0"),
        ({"span": (1, 0)}, r"`span` must be the first channel and .* Received: \(1, 0\)"),
        ({"span": (0, 1, 2)}, "`span` must be the first channel"),
        ({"span": (-1, 1)}, "`span` must be a whole number of at least 0"),
        ({"span": 1}, "`span` must be a sequence"),
        ({"share": "1"}, "`share` must be a finite number"),
    ],
)
def test_an_output_without_meaning_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Output(**{"name": "logits", "channels": 1, "span": (0, 1), **changes})
