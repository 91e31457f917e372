"""One question of every registered layer, loss and metric, and of every model builder."""

import inspect
import json
import re

import keras
import numpy as np
import pytest
from catalog import CATALOG, MODELS

import segkit.models
from segkit.models.files import register_all

LAYERS = [name for name, entry in CATALOG.items() if entry.channels is not None]
LAYERS_AND_AXES = [(name, axes) for name in LAYERS for axes in CATALOG[name].axes]
SCORED = (keras.losses.Loss, keras.metrics.Metric)
POLICIES = ["float32", "mixed_bfloat16"]


def shapes_of(channels, axes, side=8):
    if isinstance(channels, list):
        return [shapes_of(each, axes, side) for each in channels]
    return (2, *[side] * axes, channels)


def feed(channels, axes, seed=0, side=8):
    rng = np.random.default_rng(seed)
    shapes = shapes_of(channels, axes, side)
    if isinstance(shapes, list):
        return [rng.normal(size=shape).astype("float32") for shape in shapes]
    return rng.normal(size=shapes).astype("float32")


def flat(outputs):
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(outputs)]


def test_the_catalog_is_complete():
    register_all()
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("segkit>")}
    assert registered == set(CATALOG)
    not_builders = {"ENCODERS", "Encoder", "register_all", "with_precision"}
    assert {name.removesuffix("_3d") for name in MODELS} == set(segkit.models.__all__) - not_builders


@pytest.mark.parametrize("name", CATALOG)
def test_config_names_every_argument_with_its_value(name):
    entry = CATALOG[name]
    built = entry.make(**entry.arguments)
    parameters = inspect.signature(type(built).__init__).parameters
    own = {p for p in parameters if p not in ("self", "kwargs")}
    if "__init__" not in vars(type(built)):  # it is Keras's, and so is what it saves
        own &= set(entry.arguments)
    assert own == set(entry.arguments), "the catalog must set every argument"
    defaults = {p: parameters[p].default for p in own}
    # Filters has no default; strides stays 1 because a dilated convolution can not stride.
    same = {p for p, value in entry.arguments.items() if value == defaults[p]}
    assert same <= {"strides"}
    config = built.get_config()
    assert {p: config[p] for p in own} == entry.arguments


@pytest.mark.parametrize("name", CATALOG)
def test_config_survives_json(name):
    entry = CATALOG[name]
    built = entry.make(**entry.arguments)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(built))))
    assert again.get_config() == built.get_config()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("name", "axes"), LAYERS_AND_AXES)
def test_declared_shape_is_the_real_one_and_build_leaves_the_config_alone(name, axes, policy):
    entry = CATALOG[name]
    layer = entry.make(**entry.arguments, dtype=policy)
    before = layer.get_config()
    outputs = layer(feed(entry.channels, axes))
    assert layer.get_config() == before
    declared = layer.compute_output_shape(shapes_of(entry.channels, axes))
    declared = declared if isinstance(declared[0], tuple) else (declared,)
    assert [tuple(tensor.shape) for tensor in keras.tree.flatten(outputs)] == list(declared)
    compute = keras.DTypePolicy(policy).compute_dtype
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in keras.tree.flatten(outputs)} == {compute}


@pytest.mark.parametrize(("name", "axes"), LAYERS_AND_AXES)
def test_a_model_of_unknown_sizes_round_trips_through_a_file(name, axes, tmp_path):
    entry = CATALOG[name]
    channels = entry.channels if isinstance(entry.channels, list) else [entry.channels]
    inputs = [keras.Input((*[None] * axes, each)) for each in channels]
    outputs = entry.make(**entry.arguments)(inputs if isinstance(entry.channels, list) else inputs[0])
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for side in (4, 8):
        voxels = feed(channels, axes, side=side)
        for mine, other in zip(flat(model(voxels)), flat(again(voxels)), strict=True):
            assert mine.size
            np.testing.assert_array_equal(mine, other)


SCORING = [name for name in CATALOG if issubclass(type(CATALOG[name].make(**CATALOG[name].arguments)), SCORED)]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", SCORING)
def test_targets_of_another_width_are_refused_with_both_widths(name, channels):
    scoring, outputs = CATALOG[name].make(**CATALOG[name].arguments), CATALOG[name].outputs
    y_pred, y_true = np.zeros((2, 4, 4, outputs), "float32"), np.zeros((2, 4, 4, channels), "float32")
    call = scoring.update_state if isinstance(scoring, keras.metrics.Metric) else scoring
    call(np.zeros((2, 4, 4, CATALOG[name].target_channels + 1), "float32"), y_pred)
    with pytest.raises(ValueError, match=rf"y_true.shape=\(2, 4, 4, {channels}\), y_pred.shape=\(2, 4, 4, {outputs}\)"):
        call(y_true, y_pred)


def scored(name):
    """Return what scores, and a target and a prediction for it."""
    entry = CATALOG[name]
    scoring = entry.make(**entry.arguments)
    call = scoring.update_state if isinstance(scoring, keras.metrics.Metric) else scoring
    return call, np.ones((2, 4, 4, entry.target_channels + 1), "float32"), np.zeros((2, 4, 4, entry.outputs), "float32")


@pytest.mark.parametrize("name", SCORING)
def test_what_stands_where_the_weight_is_zero_does_not_matter(name):
    entry = CATALOG[name]
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (2, 4, 4, entry.target_channels + 1)).astype("float32")  # weights of 0 and 1
    logits = rng.normal(size=(2, 4, 4, entry.outputs)).astype("float32")
    scores = []
    for value in (0.0, 1.0, 255.0, np.nan):
        scoring = entry.make(**entry.arguments)
        y_true = np.where(target[..., -1:] == 0, np.float32(value), target)
        y_true[..., -1] = target[..., -1]
        is_metric = isinstance(scoring, keras.metrics.Metric)
        scores.append(
            scoring.update_state(y_true, logits) or scoring.result() if is_metric else scoring(y_true, logits)
        )
    expected, *found = (keras.ops.convert_to_numpy(score) for score in scores)
    assert np.isfinite(expected)
    for score in found:
        np.testing.assert_array_equal(score, expected)


@pytest.mark.parametrize("name", SCORING)
def test_weights_beside_the_target_are_refused(name):
    call, y_true, y_pred = scored(name)
    call(y_true, y_pred, sample_weight=None)
    for weights in (np.ones(2, "float32"), np.ones((2, 4, 4), "float32")):
        with pytest.raises(ValueError, match=r"`sample_weight` must be None: .*last channel of `y_true`"):
            call(y_true, y_pred, sample_weight=weights)


@pytest.mark.parametrize("name", SCORING)
def test_targets_of_another_size_are_refused_with_both_shapes(name):
    call, y_true, y_pred = scored(name)
    for other in (y_true[:1], y_true[:, :1], y_true[:, :, :3]):
        shapes = re.escape(f"y_true.shape={other.shape}, y_pred.shape={y_pred.shape}")
        with pytest.raises(ValueError, match=f"the sizes of `y_pred`.*{shapes}"):
            call(other, y_pred)


@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_step_trains_and_the_file_predicts_alike(name, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")  # whose networks have operations of float32, too
    try:
        keras.utils.set_random_seed(0)
        model = MODELS[name]()
    finally:
        keras.config.set_dtype_policy(before)
    assert "logits" in model.output_names
    model.compile(optimizer=keras.optimizers.SGD(1e-2), loss=dict.fromkeys(model.output_names, "mse"))
    model.optimizer.build(model.trainable_variables)  # else the first step is traced twice
    voxels = feed(model.input_shape[-1], len(model.input_shape) - 2, side=16)
    targets = {name: voxels[..., :1].repeat(logits.shape[-1], axis=-1) for name, logits in model.output.items()}
    losses = [float(np.ravel(model.train_on_batch(voxels, targets))[0]) for _ in range(8)]  # the first is of all
    assert losses[-1] < losses[0]
    found = model.predict_on_batch(voxels)
    assert {logits.dtype for logits in found.values()} == {np.dtype(np.float32)}
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    for name, logits in again.predict_on_batch(voxels).items():
        np.testing.assert_array_equal(logits, found[name])


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_draws_the_same_weights(name):
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        drawn.append(MODELS[name]().get_weights())
    for mine, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(mine, other)
