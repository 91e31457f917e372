import keras
import numpy as np
import pytest

from segkit.ops.batch_normalize import batch_normalize


def test_channels_are_normalised_and_their_statistics_returned():
    x = np.random.default_rng(0).normal(5.0, 3.0, (2, 4, 3, 2)).astype("float32")
    scale, offset = np.array([2.0, 0.5], "float32"), np.array([1.0, -1.0], "float32")
    outputs, mean, variance = (np.asarray(values) for values in batch_normalize(x, scale, offset, 0.01))
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 0.01) * scale + offset
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operation is TensorFlow's")
@pytest.mark.parametrize(
    ("dtype", "is_fused"), [("float32", True), ("bfloat16", True), ("float16", True), ("float64", False)]
)
def test_one_fused_operation_is_used_where_it_takes_the_type(dtype, is_fused):
    import tensorflow as tf

    vector = tf.ones(2, "float64" if dtype == "float64" else "float32")
    images = tf.TensorSpec((2, 4, 3, 2), dtype)
    graph = tf.function(lambda x: batch_normalize(x, vector, vector)[0]).get_concrete_function(images).graph
    assert any("FusedBatchNorm" in operation.type for operation in graph.get_operations()) == is_fused
