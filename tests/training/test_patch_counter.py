import keras
import numpy as np
import pytest

from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.preprocessing.standardize import Standardize
from segkit.targets.classes import ClassTarget
from segkit.training.patch_counter import PatchCounter


def by_grey_value():
    """A network that calls grey values 0, 1 and 2 the classes 0, 1 and 2."""
    inputs = keras.Input((None, None, 1))
    conv = keras.layers.Conv2D(3, 1, name="conv")
    model = keras.Model(inputs, {"logits": conv(inputs)})
    conv.set_weights([np.array([[[[0.0, 2.0, 4.0]]]], np.float32), np.array([0.0, -1.0, -4.0], np.float32)])
    return model


def test_every_pixel_of_every_patch_is_counted_once_and_ignored_ones_not():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (2, 16, 24)).astype(np.uint8)
    image = rng.integers(0, 3, truth.shape).astype(np.uint8)
    masked = truth.copy()
    masked[0, :4] = 99
    table = tabulate_patches([(masked, [0, 1])], patch_shape=(8, 8), stride=8, ignore_value=99)
    sampler = PatchSampler(
        [(image, masked)],
        table,
        batch_size=5,
        preprocessing=Standardize(mean=0.0, std=1.0),
        target=ClassTarget(num_classes=3, ignore_value=99),
        shuffle=True,
    )
    counter = PatchCounter(by_grey_value())
    counts = counter.count(sampler)
    np.testing.assert_array_equal(counter.count(sampler), counts)
    kept = masked != 99
    expected = [[int(((truth == t) & (image == p) & kept).sum()) for p in range(3)] for t in range(3)]
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow has a second compiler")
def test_the_network_is_not_compiled_a_second_time():
    assert PatchCounter(by_grey_value())._predictor.jit_compile is False  # which takes longer than it saves


def test_the_network_predicts_as_it_does_after_the_training():
    inputs = keras.Input((None, None, 1))
    # While training most values would be missing.
    noisy = keras.layers.Dropout(0.9, seed=0)(inputs)
    model = keras.Model(inputs, {"logits": by_grey_value()(noisy)["logits"]})
    labels = np.arange(16).reshape(1, 4, 4) % 3
    table = tabulate_patches([(labels, [0])], patch_shape=(4, 4), stride=4)
    scale, target = Standardize(mean=0.0, std=1.0), ClassTarget(num_classes=3)
    sampler = PatchSampler(
        [(labels.astype(np.float32), labels)], table, batch_size=1, preprocessing=scale, target=target
    )
    np.testing.assert_array_equal(PatchCounter(model).count(sampler), np.diag(np.bincount(labels.ravel())))
