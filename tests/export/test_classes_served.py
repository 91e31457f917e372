"""A network of several classes, trained with enhancement, as it is served."""

import keras
import numpy as np
import pytest
from through_cpp_loader import through_cpp_loader

from segkit.export.saved_model import export_saved_model
from segkit.layers import FREnhance
from segkit.models.card import ModelCard
from segkit.models.unet_se import unet_se
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.classes import ClassesTask

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports run on TensorFlow")
CARD = ModelCard(
    name="fre",
    structure="cell",
    preprocessing=Standardize(mean=90.0, std=40.0),
    multiple_px=4,
    halo_px=None,
    task=ClassesTask(class_names=("background", "a", "b")),
)


def network(bottleneck=()):
    keras.utils.set_random_seed(3)
    model = unet_se(num_classes=3, filters=(4, 8, 8), bottleneck=bottleneck)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([40 * kernel, bias])  # probabilities with a spread
    return model


def test_labels_and_probabilities_through_the_cpp_loader(tmp_path):
    model = network(FREnhance(2, 250.0, seed=1))
    folder = export_saved_model(model, CARD, tmp_path / "saved_models")
    slices = np.random.default_rng(0).normal(90, 40, (2, 21, 30)).clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "in.npz", raw_uint8=slices)
    found = through_cpp_loader(folder, tmp_path / "in.npz", tmp_path / "out.npz")
    probability, labels = found["raw_uint8/probability"], found["raw_uint8/labels"]
    padded = np.pad((slices - 90.0) / 40.0, ((0, 0), (0, 3), (0, 2)), mode="edge").astype("float32")[..., None]
    logits = keras.ops.softmax(model.predict(padded, verbose=0)["logits"])
    expected = keras.ops.convert_to_numpy(logits)[:, :21, :30]
    assert probability.shape == (2, 21, 30, 3)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=2e-5)
    np.testing.assert_array_equal(labels, probability.argmax(axis=-1))
    assert len(np.unique(labels)) > 1


def test_enhancement_leaves_no_operation_in_the_frozen_graph():
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def operations(model):
        function = tf.function(lambda x: model(x, training=False))
        frozen = convert_variables_to_constants_v2(
            function.get_concrete_function(tf.TensorSpec((1, 16, 16, 1), tf.float32))
        )
        return sorted(node.op for node in frozen.graph.as_graph_def().node)

    assert operations(network(FREnhance(2, 250.0))) == operations(network())
