"""Statistics of batch normalisation taken anew: exact, as at inference, and leaving no trace in the training."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from segkit.layers import FREnhance
from segkit.training.redraw_enhanced import RedrawEnhanced
from segkit.training.reestimate_statistics import (
    ReestimateStatistics,
    reestimate_batch_statistics,
    use_running_statistics,
)

C = 6


def batches(count=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(2.0, 3.0, size=(4, 8, 8, 1)).astype("float32") for _ in range(count)]


def network(*middle, **norm):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(C, 3, padding="same", name="conv")(inputs)
    for layer in middle:
        x = layer(x)
    x = keras.layers.BatchNormalization(name="norm", **norm)(x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, name="out")(x))


def features(model, images):
    part = keras.Model(model.input, model.get_layer("conv").output)
    return np.concatenate([ops.convert_to_numpy(part(batch)) for batch in images]).astype(np.float64)


def statistics(model):
    norm = model.get_layer("norm")
    return [ops.convert_to_numpy(values) for values in (norm.moving_mean, norm.moving_variance)]


@pytest.mark.parametrize(
    "middle",
    [(), (FREnhance(3, 500.0, redraw="never", seed=1),), (keras.layers.Dropout(0.5),)],
    ids=["plain", "enhanced", "dropout"],
)
def test_statistics_are_those_of_all_images_as_inference_sees_them(middle):
    model = network(*middle)
    reestimate_batch_statistics(model, batches())
    mean, variance = statistics(model)
    found = features(model, batches())
    np.testing.assert_allclose(mean, found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(variance, found.var((0, 1, 2)), rtol=1e-3)


def test_renormalisation_keeps_what_it_trains_with():
    model = network(renorm=True)
    norm = model.get_layer("norm")
    norm.renorm_mean.assign(np.full(C, 0.25, "float32"))
    norm.renorm_stddev.assign(np.full(C, 4.0, "float32"))
    reestimate_batch_statistics(model, batches())
    np.testing.assert_array_equal(ops.convert_to_numpy(norm.renorm_mean), np.full(C, 0.25))
    np.testing.assert_array_equal(ops.convert_to_numpy(norm.renorm_stddev), np.full(C, 4.0))
    found = features(model, batches())
    np.testing.assert_allclose(statistics(model)[0], found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("renorm", [False, True])
def test_behind_another_normalisation_they_are_those_of_inference(renorm):
    first = keras.layers.BatchNormalization(renorm=renorm, name="first")
    model = network(FREnhance(3, 20.0, redraw=1, seed=1), first, keras.layers.ReLU(), renorm=renorm)
    model.compile("sgd", "mse")
    for batch in batches(20, seed=3):
        model.train_on_batch(batch, batch)
    reestimate_batch_statistics(model, batches())
    part = keras.Model(model.input, model.get_layer("norm").input)
    found = np.concatenate([ops.convert_to_numpy(part(batch)) for batch in batches()]).astype(np.float64)
    mean, variance = statistics(model)
    np.testing.assert_allclose(mean, found.mean((0, 1, 2)), atol=0.02)
    np.testing.assert_allclose(variance, found.var((0, 1, 2)), rtol=0.05)
    if renorm:
        norm = model.get_layer("norm")
        stddev = ops.convert_to_numpy(norm.moving_stddev)
        np.testing.assert_allclose(stddev**2, variance + norm.epsilon, rtol=1e-5)


def test_batches_count_by_their_size():
    model = network()
    (whole,) = batches(1)
    parts = [whole[:1], whole[1:]]
    reestimate_batch_statistics(model, parts)
    found = features(model, parts)
    np.testing.assert_allclose(statistics(model)[0], found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(statistics(model)[1], found.var((0, 1, 2)), rtol=1e-3)


def test_a_fault_on_the_way_leaves_all_as_it_was():
    def broken():
        yield batches(1)[0]
        raise OSError("the disk is gone")

    model = network(renorm=True)
    before = statistics(model)
    with pytest.raises(OSError, match="the disk is gone"):
        reestimate_batch_statistics(model, broken())
    np.testing.assert_array_equal(statistics(model), before)
    assert model.get_layer("norm").renorm


def test_frozen_layers_stay_and_no_batch_is_an_error():
    model = network()
    model.get_layer("norm").trainable = False
    before = statistics(model)
    reestimate_batch_statistics(model, batches())
    np.testing.assert_array_equal(statistics(model), before)
    with pytest.raises(ValueError, match="at least one batch"):
        reestimate_batch_statistics(network(), [])


def test_switches_stand_as_before():
    enhance, dropout = FREnhance(3, 500.0, redraw=2, seed=1), keras.layers.Dropout(0.5)
    model = network(enhance, dropout)
    reestimate_batch_statistics(model, batches())
    assert enhance.active
    assert int(enhance.count) == 0
    assert dropout.rate == 0.5
    assert model.get_layer("norm").momentum == 0.99


def test_the_callback_comes_before_every_validation():
    model = network(FREnhance(3, 500.0, seed=1))
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 1e-9
    images, held_out = np.concatenate(batches(2)), batches(1, seed=5)[0]
    callback = ReestimateStatistics(batches(2))
    history = model.fit(
        images,
        images,
        batch_size=4,
        epochs=2,
        verbose=0,
        validation_data=(held_out, held_out),
        callbacks=[RedrawEnhanced(), callback],
    )
    found = features(model, batches(2))
    np.testing.assert_allclose(statistics(model)[0], found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)
    expected = np.mean((ops.convert_to_numpy(model(held_out)) - held_out) ** 2)
    np.testing.assert_allclose(history.history["val_loss"], [expected] * 2, rtol=1e-3)


def trained(*callbacks, renorm=False):
    model = network(FREnhance(3, 5.0, seed=1), keras.layers.ReLU(), renorm=renorm)
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    images = np.concatenate(batches(2))
    model.fit(
        images,
        images,
        batch_size=4,
        epochs=3,
        shuffle=False,
        verbose=0,
        validation_data=(images, images),
        callbacks=[RedrawEnhanced(), *callbacks],
    )
    return model


@pytest.mark.parametrize("renorm", [False, True])
def test_training_and_running_statistics_are_the_same_with_and_without(renorm):
    plain, callback = trained(renorm=renorm), ReestimateStatistics(batches(2))
    reestimated = trained(callback, renorm=renorm)
    norms = [model.get_layer("norm") for model in (plain, reestimated)]
    assert not np.allclose(*(ops.convert_to_numpy(norm.moving_mean) for norm in norms))
    json_text = json.dumps(callback.running)  # as a resumed run keeps it
    use_running_statistics(reestimated, json.loads(json_text))
    assert len(plain.weights) == len(reestimated.weights)
    for mine, other in zip(plain.weights, reestimated.weights, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-7, err_msg=mine.path)


def test_another_training_does_not_begin_with_the_statistics_of_the_last():
    callback = ReestimateStatistics(batches(2))
    trained(callback)
    assert callback.running is not None
    callback.on_train_begin()
    assert callback.running is None


def test_steps_end_a_stream_without_end():
    def endless():
        while True:
            yield batches(1)[0], "a target that nobody looks at"

    class Stream:
        def __iter__(self):
            return endless()

    model = network()
    callback = ReestimateStatistics(Stream(), steps=2)
    callback.set_model(model)
    callback.on_test_begin()
    found = features(model, batches(1))
    np.testing.assert_allclose(statistics(model)[0], found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "validation", [{}, {"validation_freq": 2, "validation_data": (batches(1)[0], batches(1)[0])}], ids=["none", "rare"]
)
def test_a_last_epoch_without_validation_is_made_up_for_at_the_end(validation):
    def fitted(*callbacks):
        model = network(FREnhance(3, 5.0, seed=1), keras.layers.ReLU())
        model.compile(keras.optimizers.SGD(1e-3), "mse")
        images = np.concatenate(batches(2))
        model.fit(
            images, images, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[RedrawEnhanced(), *callbacks],
            **validation,
        )  # fmt: skip
        return model

    callback = ReestimateStatistics(batches(2))
    model = fitted(callback)
    part = keras.Model(model.input, model.get_layer("norm").input)
    found = np.concatenate([ops.convert_to_numpy(part(batch)) for batch in batches(2)]).astype(np.float64)
    np.testing.assert_allclose(statistics(model)[0], found.mean((0, 1, 2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(statistics(model)[1], found.var((0, 1, 2)), rtol=1e-3)
    # The running ones are kept as after any validation.
    use_running_statistics(model, callback.running)
    for mine, other in zip(model.weights, fitted().weights, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-7, err_msg=mine.path)


def test_a_training_without_an_epoch_leaves_all_as_it_was():
    model = network()
    model.compile("sgd", "mse")
    before = statistics(model)
    images = batches(1)[0]
    model.fit(images, images, epochs=2, initial_epoch=2, verbose=0, callbacks=[ReestimateStatistics(batches(2))])
    np.testing.assert_array_equal(statistics(model), before)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.zeros((4, 8, 8, 1), "float32"), "ndarray"),
        (ops.zeros((4, 8, 8, 1)), ""),
        ((batch for batch in batches()), "generator"),
        (iter(batches()), "list_iterator"),
    ],
)
def test_one_array_or_what_is_iterated_once_is_refused(given, found):
    with pytest.raises(ValueError, match=rf"`batches` must be .*such as a list of batches.*Received: .*{found}"):
        ReestimateStatistics(given)


@pytest.mark.parametrize("steps", [0, -1, "2", 1.5])
def test_a_number_of_steps_is_positive(steps):
    with pytest.raises(ValueError, match=r"`steps` must be a positive whole number. Received: steps="):
        ReestimateStatistics(batches(2), steps=steps)
