"""Magnitudes are what the layers give while training, recorded without a trace in it."""

import csv
import importlib.util

import keras
import numpy as np
import pytest
from keras import ops

from segkit.layers import FREnhance
from segkit.training.record_magnitudes import RecordMagnitudes, read_magnitudes
from segkit.training.redraw_enhanced import RedrawEnhanced

IMAGES = np.random.default_rng(0).normal(1.0, 2.0, (8, 8, 8, 1)).astype("float32")


def network(*bottleneck):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 1))
    skip = keras.layers.BatchNormalization(name="skip")(keras.layers.Conv2D(4, 3, padding="same")(inputs))
    deep = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="deep")(skip)
    for layer in bottleneck:
        deep = layer(deep)
    joined = keras.layers.Concatenate()([deep, skip])
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(joined))
    model.compile(keras.optimizers.SGD(1e-2), "mse")
    return model


def train(model, folder, epochs=2, *callbacks):
    record = RecordMagnitudes(IMAGES, "deep", "skip", folder)
    model.fit(IMAGES, IMAGES, batch_size=4, epochs=epochs, verbose=0, shuffle=False, callbacks=[*callbacks, record])
    return record


def test_the_first_row_is_the_untrained_network_normalised_by_the_batch(tmp_path):
    model = network()
    conv = model.layers[1]
    before = ops.convert_to_numpy(conv(IMAGES))
    normalised = (before - before.mean((0, 1, 2))) / np.sqrt(before.var((0, 1, 2)) + 1e-3)
    deep = ops.convert_to_numpy(model.get_layer("deep")(normalised.astype("float32")))
    rows = train(model, tmp_path).rows
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    np.testing.assert_allclose(rows[0]["skip"], np.abs(normalised).mean(), rtol=1e-4)
    np.testing.assert_allclose(rows[0]["bottleneck"], deep.mean(), rtol=1e-4)
    assert rows[2] != rows[1]


def test_enhanced_maps_are_told_from_the_others_without_the_gain(tmp_path):
    model = network(FREnhance(2, 1e6, seed=1))
    model.optimizer.learning_rate = 1e-20
    last = train(model, tmp_path, 2, RedrawEnhanced()).rows[-1]
    np.testing.assert_allclose(last["bottleneck"], (2 * last["enhanced"] + 4 * last["not_enhanced"]) / 6, rtol=1e-5)
    assert 0 < last["enhanced"] < 100


def test_the_training_is_the_same_without(tmp_path):
    mine, other = network(keras.layers.Dropout(0.5, seed=1)), network(keras.layers.Dropout(0.5, seed=1))
    train(mine, tmp_path)
    other.fit(IMAGES, IMAGES, batch_size=4, epochs=2, verbose=0, shuffle=False)
    for one, two in zip(mine.weights, other.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_the_file_holds_the_rows(tmp_path):
    rows = train(network(), tmp_path).rows
    with open(tmp_path / "magnitudes.csv", newline="") as stream:
        assert [float(row["skip"]) for row in csv.DictReader(stream)] == [row["skip"] for row in rows]
    assert read_magnitudes(tmp_path) == rows
    assert read_magnitudes(tmp_path / "elsewhere") == []
    if importlib.util.find_spec("tensorflow"):
        assert list((tmp_path / "tensorboard" / "magnitudes").glob("events.*"))


def test_a_missing_layer_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="No such layer: nowhere"):
        network().fit(IMAGES, IMAGES, verbose=0, callbacks=[RecordMagnitudes(IMAGES, "nowhere", "skip", tmp_path)])
