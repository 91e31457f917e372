import keras
import numpy as np
from tiny_models import pointwise, sigmoid, tiny_seget

from segkit.inference.compiled import batch_function, mean_over_turns, probability_model


def test_the_compiled_function_gives_the_sigmoid_of_the_logits():
    model = tiny_seget()
    voxels = np.random.default_rng(0).normal(size=(2, 16, 24, 1)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(model(voxels, training=False)["logits"])
    found = batch_function(probability_model(model))(voxels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sigmoid(logits), atol=1e-5)


def test_the_callers_model_is_left_as_it_was():
    model = tiny_seget()
    settings = (model.dtype_policy.name, model.jit_compile, model.trainable, list(model.output_names))
    weights = [w.copy() for w in model.get_weights()]
    batch_function(probability_model(model, "mixed_bfloat16"))(np.zeros((1, 8, 8, 1), np.float32))
    assert (model.dtype_policy.name, model.jit_compile, model.trainable, list(model.output_names)) == settings
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_turning_changes_nothing_for_a_network_that_treats_all_directions_alike():
    function = batch_function(probability_model(pointwise(weight=0.5, bias=-1).model))
    voxels = np.random.default_rng(0).normal(size=(2, 8, 12, 1)).astype(np.float32)
    np.testing.assert_allclose(mean_over_turns(function, voxels), function(voxels), atol=1e-6)


def test_each_of_the_eight_turns_is_turned_back():
    """A function that keeps only its top left corner: the mean has an eighth of what each turn brings
    there."""

    def corner(batch):
        kept = np.zeros_like(batch)
        kept[:, 0, 0] = batch[:, 0, 0]
        return kept

    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    mean = mean_over_turns(corner, image)[0, ..., 0]
    expected = np.zeros((3, 4))
    for row, column in ((0, 0), (0, 3), (2, 0), (2, 3)):  # each corner comes to the top left twice
        expected[row, column] = image[0, row, column, 0] / 4
    np.testing.assert_array_equal(mean, expected)


def test_the_mean_over_turns_turns_with_its_input():
    function = batch_function(probability_model(tiny_seget()), tta=True)
    voxels = np.random.default_rng(3).normal(size=(1, 16, 24, 1)).astype(np.float32)
    plain = function(voxels)
    np.testing.assert_allclose(function(voxels[:, ::-1]), plain[:, ::-1], atol=1e-5)
    turned = function(np.ascontiguousarray(np.rot90(voxels, axes=(1, 2))))
    np.testing.assert_allclose(turned, np.rot90(plain, axes=(1, 2)), atol=1e-5)


def test_volumes_are_turned_in_the_plane_of_y_and_x():
    """As above, of the first slice alone: no other slice may get anything."""

    def corner(batch):
        kept = np.zeros_like(batch)
        kept[:, 0, 0, 0] = batch[:, 0, 0, 0]
        return kept

    volume = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4, 1)
    mean = mean_over_turns(corner, volume)[0, ..., 0]
    expected = np.zeros((2, 3, 4))
    for row, column in ((0, 0), (0, 3), (2, 0), (2, 3)):
        expected[0, row, column] = volume[0, 0, row, column, 0] / 4
    np.testing.assert_array_equal(mean, expected)
