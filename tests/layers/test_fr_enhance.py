"""Feature random enhancement: which maps count for more, when, and how often."""

import keras
import numpy as np
import pytest
from keras import ops

from segkit.layers import FREnhance
from segkit.training.redraw_enhanced import RedrawEnhanced

C = 8


def built(num_enhanced=3, gain=250.0, **kwargs):
    layer = FREnhance(num_enhanced, gain, **{"seed": 1, **kwargs})
    layer.build((None, None, None, C))
    return layer


def chosen(layer):
    return tuple(np.flatnonzero(keras.ops.convert_to_numpy(layer.enhanced)))


def tiny_model(layer):
    inputs = keras.Input((C,))
    x = keras.layers.Dense(C, name="before")(inputs)
    x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="after")(x))


def fit(model, *, epochs=1, callbacks=(), steps=2):
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(4 * steps, C)).astype("float32")
    model.optimizer.learning_rate = 1e-12
    model.fit(x, x[:, :1], batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize("shape", [(2, C), (2, 5, C), (2, 4, 3, C), (1, 2, 3, 2, C)])
def test_enhanced_maps_are_exactly_gain_times_and_the_rest_is_untouched(shape):
    layer = FREnhance(3, 250.0, redraw="never", seed=1)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = ops.convert_to_numpy(layer(x, training=True))
    assert len(chosen(layer)) == 3
    for channel in range(C):
        factor = np.float32(250.0 if channel in chosen(layer) else 1.0)
        np.testing.assert_array_equal(y[..., channel], x[..., channel] * factor)


def test_at_inference_the_input_itself_comes_out():
    layer = built()
    x = ops.ones((1, 2, 2, C))
    assert layer(x) is x
    assert layer(x, training=False) is x


def test_gradients_into_enhanced_maps_are_gain_times():
    # One step of size 1 from zero weights: the change of "before" is minus its gradient.
    layer = FREnhance(3, 250.0, redraw="never", seed=1)
    model = tiny_model(layer)
    model.get_layer("before").set_weights([np.zeros((C, C), "float32"), np.zeros(C, "float32")])
    model.get_layer("after").set_weights([np.ones((C, 1), "float32"), np.zeros(1, "float32")])
    model.compile(keras.optimizers.SGD(1.0), lambda y_true, y_pred: ops.sum(y_pred))
    model.train_on_batch(np.ones((1, C), "float32"), np.zeros((1, 1), "float32"))
    change = model.get_layer("before").get_weights()[1]
    expected = [-250.0 if channel in chosen(layer) else -1.0 for channel in range(C)]
    np.testing.assert_array_equal(change, np.float32(expected))


def test_every_map_is_drawn_as_often_as_the_share_says():
    layer = built(num_enhanced=2)
    draws = 2000
    # All at a time, as each alone takes long; the first are those of `draw`.
    drawn = ops.vectorized_map(lambda number: layer._random_set((C,), number), ops.arange(draws))
    drawn = ops.convert_to_numpy(drawn)
    for number in range(20):
        layer.draw()
        np.testing.assert_array_equal(ops.convert_to_numpy(layer.enhanced), drawn[number])
    counts = drawn.sum(axis=0)
    assert counts.sum() == 2 * draws
    # Five standard deviations of a binomial count.
    np.testing.assert_allclose(counts, draws * 2 / C, atol=5 * np.sqrt(draws * 0.25 * 0.75))


def test_layers_of_one_seed_draw_the_same_sets_and_another_seed_others():
    def sets(seed):
        layer = built(seed=seed)
        found = []
        for _ in range(20):
            layer.draw()
            found.append(chosen(layer))
        return found

    assert sets(1) == sets(1)
    assert sets(1) != sets(2)
    assert len(set(sets(1))) > 10


def test_without_a_seed_layers_differ_but_each_is_saved_with_its_own():
    first, second = FREnhance(3, 2.0), FREnhance(3, 2.0)
    assert first.seed != second.seed
    assert FREnhance.from_config(first.get_config()).seed == first.seed


def test_training_that_nobody_redraws_fails_at_once():
    with pytest.raises(RuntimeError, match=r"no maps have been drawn.*RedrawEnhanced.*draw\(\)"):
        fit(tiny_model(FREnhance(3, 250.0)))


@pytest.mark.parametrize("rows", [8, 4])  # as before, whose step is compiled already, and others
def test_a_second_training_without_the_callback_fails_too(rows):
    model = tiny_model(FREnhance(3, 250.0))
    fit(model, callbacks=[RedrawEnhanced()])
    x = np.ones((rows, C), "float32")
    with pytest.raises(RuntimeError, match="no maps have been drawn"):
        model.fit(x, x[:, :1], batch_size=4, shuffle=False, verbose=0)


def test_one_draw_before_fit_is_none_for_its_epochs():
    layer = FREnhance(3, 250.0)
    model = tiny_model(layer)
    layer.draw()
    with pytest.raises(RuntimeError, match="no maps have been drawn"):
        fit(model)
    layer = FREnhance(3, 250.0)
    model = tiny_model(layer)  # another one: a failed trace leaves the first one unusable on JAX
    fit(model, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: layer.draw())])
    layer.draw()
    x = np.ones((4, C), "float32")
    model.train_on_batch(x, x[:, :1])  # a loop of one's own


def test_what_the_message_advises_works():
    model = tiny_model(FREnhance(3, 250.0))
    with pytest.raises(RuntimeError, match=r"RedrawEnhanced.* and compile the model again \(on JAX, build it again"):
        fit(model)
    if keras.backend.backend() == "jax":
        model = tiny_model(FREnhance(3, 250.0))
    fit(model, callbacks=[RedrawEnhanced()])  # compiles
    assert len(chosen(model.layers[2])) == 3


def test_draws_before_the_layer_is_built_are_made_up_for():
    late, early = FREnhance(3, 250.0, seed=1), built(seed=1)
    for _ in range(2):
        late.draw()
        early.draw()
    late.build((None, C))
    for _ in range(2):
        assert chosen(late) == chosen(early)
        assert int(late.count) == int(early.count)
        late.draw()
        early.draw()


def test_an_unbuilt_model_is_trained_like_a_built_one():
    def sets(*first):
        layer = FREnhance(3, 250.0, seed=1)
        seen = []
        record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(chosen(layer)))
        model = keras.Sequential([*first, keras.layers.Dense(C), layer, keras.layers.Dense(1)])
        fit(model, epochs=3, callbacks=[RedrawEnhanced(), record])
        return seen

    assert sets() == sets(keras.Input((C,)))


def test_the_callback_draws_once_an_epoch():
    layer = FREnhance(3, 250.0, seed=1)
    seen = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(chosen(layer)))
    fit(tiny_model(layer), epochs=6, steps=3, callbacks=[RedrawEnhanced(), record])
    expected, drawing = [], built(seed=1)
    for _ in range(6):
        drawing.draw()
        expected.append(chosen(drawing))
    assert seen == expected
    assert len(set(seen)) > 3


def test_the_callback_finds_layers_inside_others_and_misses_none_quietly():
    layer = FREnhance(3, 250.0, seed=1)
    inner = keras.Sequential([keras.Input((C,)), layer])
    inputs = keras.Input((C,))
    fit(keras.Model(inputs, keras.layers.Dense(1)(inner(inputs))), callbacks=[RedrawEnhanced()])
    assert len(chosen(layer)) == 3
    with pytest.raises(ValueError, match="found no FREnhance layer"):
        fit(tiny_model(FREnhance(3, 2.0, redraw="never")), callbacks=[RedrawEnhanced()])


@pytest.mark.parametrize("redraw", [1, 2, 3])
def test_a_number_of_steps_needs_no_callback(redraw):
    layer = FREnhance(3, 250.0, redraw=redraw, seed=1)
    model = tiny_model(layer)
    model.compile("sgd", "mse")
    seen = []
    for _ in range(12):
        model.train_on_batch(np.ones((4, C), "float32"), np.ones((4, 1), "float32"))
        seen.append(chosen(layer))
    groups = [seen[i : i + redraw] for i in range(0, 12, redraw)]
    assert all(len(set(group)) == 1 for group in groups)
    assert len({group[0] for group in groups}) > 2
    model.test_on_batch(np.ones((4, C), "float32"), np.ones((4, 1), "float32"))
    assert chosen(layer) == seen[-1]


def test_never_keeps_one_set_that_only_the_seed_decides():
    layer = FREnhance(3, 250.0, redraw="never", seed=5)
    model = tiny_model(layer)
    before = chosen(layer)
    fit(model, epochs=3)
    assert chosen(layer) == before == chosen(built(redraw="never", seed=5))
    others = {chosen(built(redraw="never", seed=seed)) for seed in range(8)}
    assert len(others) > 4


def test_a_saved_layer_goes_on_with_its_draws(tmp_path):
    layer = FREnhance(3, 250.0, seed=1)
    model = tiny_model(layer)
    for _ in range(3):
        layer.draw()
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    other = next(found for found in again.layers if isinstance(found, FREnhance))
    assert chosen(other) == chosen(layer)
    for _ in range(5):
        layer.draw()
        other.draw()
        assert chosen(other) == chosen(layer)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_training_enhances_what_eager_training_does(jit_compile):
    def weights(**kwargs):
        keras.utils.set_random_seed(0)
        model = tiny_model(FREnhance(3, 4.0, redraw=2, seed=1))
        model.compile(keras.optimizers.SGD(0.01), "mse", **kwargs)
        rng = np.random.default_rng(0)
        for _ in range(5):
            x = rng.normal(size=(4, C)).astype("float32")
            model.train_on_batch(x, x[:, :1])
        return model.get_weights()

    for compiled, eager in zip(weights(jit_compile=jit_compile), weights(run_eagerly=True), strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_enhanced": 0}, "`num_enhanced` must be a positive whole number. Received: num_enhanced=0"),
        ({"num_enhanced": 2.5}, "`num_enhanced` must be a positive whole number. Received: num_enhanced=2.5"),
        ({"gain": 0.0}, "`gain` must be positive. Received: gain=0.0"),
        ({"gain": float("nan")}, "`gain` must be a finite number. Received: gain=nan"),
        ({"gain": float("inf")}, "`gain` must be a finite number. Received: gain=inf"),
        ({"gain": "2"}, "`gain` must be a finite number. Received: gain='2'"),
        ({"seed": 1.5}, "`seed` must be a whole number. Received: seed=1.5"),
        ({"redraw": 0}, "`redraw` must be 'epoch', 'never' or a positive number of steps. Received: redraw=0"),
        ({"redraw": "batch"}, "Received: redraw='batch'"),
        ({"gain": 65.0, "dtype": "mixed_float16"}, "under float16.*mixed_bfloat16. Received: gain=65.0"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        FREnhance(**{"num_enhanced": 3, "gain": 2.0, **arguments})


def test_bfloat16_takes_any_gain_and_keeps_its_dtype():
    layer = FREnhance(3, 632.0, redraw="never", seed=1, dtype="mixed_bfloat16")
    y = layer(ops.ones((1, C)), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert sorted(set(ops.convert_to_numpy(ops.cast(y, "float32")).ravel())) == [1.0, 632.0]


def test_more_maps_than_there_are():
    with pytest.raises(ValueError, match=r"at most the number of channels\. Received: num_enhanced=9"):
        FREnhance(9, 2.0).build((None, 4, 4, C))


@pytest.mark.parametrize("redraw", ["never", 2])
def test_a_layer_that_draws_by_itself_is_not_drawn_from_outside(redraw):
    with pytest.raises(RuntimeError, match="draws by itself"):
        built(redraw=redraw).draw()


def test_sets_are_the_same_on_every_backend():
    layer = built(num_enhanced=3, seed=7)
    found = []
    for _ in range(4):
        layer.draw()
        found.append(chosen(layer))
    assert found == [(0, 1, 6), (2, 3, 7), (1, 4, 7), (0, 1, 4)]
