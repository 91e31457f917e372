import numpy as np

from segkit.ops.batch_normalize import batch_normalize


def test_channels_are_normalised_and_their_statistics_returned():
    x = np.random.default_rng(0).normal(5.0, 3.0, (2, 4, 3, 2)).astype("float32")
    scale, offset = np.array([2.0, 0.5], "float32"), np.array([1.0, -1.0], "float32")
    outputs, mean, variance = (np.asarray(values) for values in batch_normalize(x, scale, offset, 0.01))
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 0.01) * scale + offset
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
