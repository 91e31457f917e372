"""The methods of the comparison differ in what they say, and in nothing else."""

import keras
import numpy as np
import pytest

from recipes.enhancement.presets import PAPER_FILTERS
from segkit.errors import InputError
from segkit.experiments.enhancement_methods import METHODS, build_network, task_of
from segkit.layers import FREnhance
from segkit.training.redraw_enhanced import RedrawEnhanced

SMALL = {"num_classes": 3, "filters": (4, 8, 16), "num_enhanced": 4, "gain": 250.0, "seed": 1}


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_parameters_of_the_paper_with_one_channel():
    # One input channel in the place of three: 2 * 9 * 64 weights fewer.
    paper = {"num_classes": 3, "filters": PAPER_FILTERS, "num_enhanced": 162, "gain": 632.0}
    plain = build_network(METHODS["plain"], **paper)
    assert plain.count_params() == 13_493_055 - 2 * 9 * 64
    assert build_network(METHODS["shallow"], **paper).count_params() == 6_070_799 - 2 * 9 * 64


def test_all_but_two_have_the_same_weights_to_train():
    plain = trainable(build_network(METHODS["plain"], **SMALL))
    for name, method in METHODS.items():
        found = trainable(build_network(method, **SMALL))
        if name == "shallow":
            assert found < plain
        elif name == "supervision":
            assert found == plain + 16 * 3 + 3
        else:
            assert found == plain


def test_enhanced_maps_and_dropped_elements():
    layers = {name: build_network(method, **SMALL)._flatten_layers() for name, method in METHODS.items()}
    drawn = {
        name: [(layer.num_enhanced, layer.gain, layer.redraw) for layer in found if isinstance(layer, FREnhance)]
        for name, found in layers.items()
    }
    assert {name: value for name, value in drawn.items() if value} == {
        "fre": [(4, 250.0, "epoch")],
        "fixed": [(10, 1e4, "never")],
    }
    dropped = [layer.rate for layer in layers["dropout"] if isinstance(layer, keras.layers.Dropout)]
    assert dropped == [4 / 16]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_through_the_same_task(name):
    keras.utils.set_random_seed(0)
    method = METHODS[name]
    levels = (4, 8, 16) if name == "shallow" else (4, 16)  # one less is built of the former
    model = build_network(method, **{**SMALL, "filters": levels})
    task = task_of(("a", "b", "c"), {"method": name, "supervision": 0.3})
    assert task.supervision == (0.3 if name == "supervision" else 0.0)
    task.compile(model, 1e-3)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 16, 16, 1)).astype("float32")
    targets = np.stack([np.digitize(images[..., 0], [-0.5, 0.5]), np.ones((8, 16, 16))], -1).astype("float32")
    callbacks = [RedrawEnhanced()] if method.enhance == "epoch" else []
    losses = model.fit(
        images, dict.fromkeys(task.spans, targets), batch_size=8, epochs=6, verbose=0, callbacks=callbacks
    ).history["loss"]
    assert np.isfinite(losses).all()
    assert min(losses[1:]) < losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_enhanced": 17}, "17 of 16 feature maps to be enhanced; give --num-enhanced from 1 to 16"),
        ({"num_enhanced": -1}, "give --num-enhanced from 1 to 16"),
        ({"gain": -2.0}, "gain -2; give a positive, finite --gain"),
        ({"gain": float("inf")}, "gain inf"),
    ],
)
def test_values_out_of_range(change, message):
    with pytest.raises(InputError, match=message):
        build_network(METHODS["fre"], **{**SMALL, **change})
