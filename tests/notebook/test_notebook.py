"""Arrays in, arrays out."""

import keras
import numpy as np
import pytest

import segkit
from segkit.data.splits import Split
from segkit.errors import InputError
from segkit.tasks import ClassesTask
from segkit.training.plan import TrainingPlan
from segkit.volumes.volume import Volume

SIZE_NM = (4.0, 2.0, 2.0)


def blobs(seed=0, shape=(6, 48, 40)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    mask = np.stack([np.hypot(y - rng.integers(10, 38), x - rng.integers(10, 30)) < 9 for _ in range(shape[0])])
    return (100 * mask + rng.normal(60, 15, shape)).astype(np.float32), mask.astype(np.uint8)


def two_layers():
    inputs = keras.Input((None, None, 1), name="voxels")
    x = keras.layers.Conv2D(6, 5, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 3, padding="same", name="logits")(x)})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    image, mask = blobs()
    plan = TrainingPlan(patch_px=32, stride_px=16, batch_size=4, epochs=25, learning_rate=2e-2, precision="float32")
    out = tmp_path_factory.mktemp("notebook")
    return segkit.train(image, mask, out, network=two_layers, plan=plan, halo_px=3), out


def test_a_network_is_trained_on_arrays_and_predicts_others(trained):
    model, out = trained
    assert (out / "log.csv").exists()
    image, mask = blobs(seed=5)
    found = segkit.predict(model, image)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert segkit.evaluate(found, mask).to_dict()["total"]["foreground_iou"] > 0.8
    np.testing.assert_array_equal(segkit.predict(out, image), found)


def test_what_comes_back_is_of_the_kind_that_was_given(trained, tmp_path):
    model, _ = trained
    image, _ = blobs(seed=5)
    found = segkit.predict(model, image)
    one = segkit.predict(model, image[2])
    assert one.shape == image[2].shape
    np.testing.assert_array_equal(one, found[2])
    volume = Volume(array=image, voxel_size_nm=SIZE_NM)
    as_volume = segkit.predict(model, volume)
    assert as_volume.voxel_size_nm == SIZE_NM
    np.testing.assert_array_equal(as_volume.array, found)
    segkit.save_volume(tmp_path / "in.mrc", volume)
    written = segkit.predict(model, tmp_path / "in.mrc", output=tmp_path / "out.mrc", probability=True)
    assert written.source == tmp_path / "out.mrc"
    np.testing.assert_array_equal(np.asarray(written.array[:]) > 0.5, found > 0)
    with pytest.raises(InputError, match="exists"):
        segkit.predict(model, tmp_path / "in.mrc", output=tmp_path / "out.mrc")


def test_scores_by_the_kind_of_result():
    labels = np.zeros((2, 6, 6), int)
    labels[:, :2], labels[:, 3:] = 1, 2
    assert segkit.evaluate(labels, labels, task="classes").to_dict()["total"]["iou"] == {"0": 1, "1": 1, "2": 1}
    names = ClassesTask(class_names=("gel", "a", "b"))
    assert segkit.evaluate(labels, labels, task=names, slices=[1]).to_dict()["total"]["iou"]["gel"] == 1
    assert segkit.evaluate(labels, labels, task="cells").to_dict()["total"]["seg"] == 1
    assert segkit.evaluate(labels, labels, task="centers").to_dict()["total"]["seg"] == 1
    with pytest.raises(ValueError, match="unknown kind 'objects'; choose one of foreground, classes, cells"):
        segkit.evaluate(labels, labels, task="objects")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))), r"axes \(z, y, x\) or \(y, x\)"),
        (([np.zeros((5, 9, 9))], []), "must have equal lengths"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        segkit.train(*arguments, tmp_path)


def test_slices_are_for_what_the_splits_say(tmp_path):
    image, mask = blobs()
    mask[3:] = 7  # three values: no mask, and seen although only other slices are used
    with pytest.raises(InputError, match="expected 0 and one other value"):
        segkit.train(image, mask, tmp_path, splits=[Split(train=(0, 1), validation=(2,))])
