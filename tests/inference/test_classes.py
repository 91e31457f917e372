"""A network of several classes: its labels, legend, tiles, and what it refuses."""

import json

import keras
import numpy as np
import pytest
from tiny_models import pointwise, tiny_card

from segkit.errors import InputError
from segkit.inference.legend import read_legend
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.inference.slice_predictor import SlicePredictor
from segkit.models.unet_se import unet_se
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.classes import ClassesTask
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

CLASSES = ("background", "wall", "core")


def by_grey_value(classes=CLASSES, **card):
    """Logits 0, v and 2 v - 3: background below 0, core above 3, wall between."""
    inputs = keras.Input((None, None, 1), name="voxels")
    layer = keras.layers.Conv2D(3, 1, dtype="float32", name="logits")
    model = keras.Model(inputs, {"logits": layer(inputs)}, name="by_grey_value")
    layer.set_weights([np.array([0.0, 1.0, 2.0]).reshape(1, 1, 1, 3), np.array([0.0, 0.0, -3.0])])
    facts = {"preprocessing": Standardize(mean=0.0, std=1.0), "halo_px": 0, "structure": "cell"}
    facts["task"] = ClassesTask(class_names=classes)
    return LoadedModel(model, tiny_card(**{**facts, **card}))


def voxels(shape=(3, 13, 18)):
    return Volume(array=np.random.default_rng(0).uniform(-5, 8, shape).astype(np.float32), voxel_size_nm=(4, 2, 2))


def expected_labels(array):
    return np.where(array < 0, 0, np.where(array > 3, 2, 1))


@pytest.mark.parametrize("options", [{}, {"tta": True}, {"tile_px": 8, "halo_px": 2}], ids=["whole", "tta", "tiled"])
def test_labels_and_their_legend(options, tmp_path):
    volume = voxels()
    found = predict_volume([by_grey_value()], volume, tmp_path / "labels.mrc", PredictOptions(**options))
    labels = np.asarray(open_volume(tmp_path / "labels.mrc").array[:])
    np.testing.assert_array_equal(labels, expected_labels(volume.array))
    assert found.voxels == (("wall", int((labels == 1).sum())), ("core", int((labels == 2).sum())))
    legend = json.loads(found.legend.read_text())
    assert [legend[label]["structure"] for label in "012"] == ["background", "wall", "core"]
    predict_volume([by_grey_value(classes=("gel", "wall", "core"))], volume, tmp_path / "other.mrc")
    assert read_legend(tmp_path / "other.legend.json") == {0: "gel", 1: "wall", 2: "core"}


def test_probabilities_of_a_pixel_sum_to_one():
    ((_, found),) = SlicePredictor(by_grey_value(), voxels()).iter_maps([0])
    assert found.shape == (13, 18, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-6)


def test_a_network_that_sees_all_is_given_tiles_of_the_size_it_was_trained_on():
    keras.utils.set_random_seed(0)
    card = tiny_card(
        task=ClassesTask(class_names=CLASSES), halo_px=None, tile_px=16, preprocessing=Standardize(mean=0.0, std=1.0)
    )
    loaded = LoadedModel(unet_se(num_classes=3, filters=(2, 4)), card)
    volume = voxels((1, 48, 16))
    plan = SlicePredictor(loaded, volume).plan
    assert plan.tile_shape == (16, 16)
    bare = SlicePredictor(loaded, volume, PredictOptions(halo_px=0))
    ((_, found),) = bare.iter_maps([0])
    tile = loaded.model(volume.array[:, :16, :, None])["logits"]
    np.testing.assert_allclose(found[:16], keras.ops.convert_to_numpy(keras.ops.softmax(tile))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"probability": True}, "leave out --probability"), ({"threshold": 0.4}, "leave out --threshold")],
)
def test_choices_that_mean_nothing(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        predict_volume([by_grey_value()], voxels(), tmp_path / "o.mrc", PredictOptions(**options))
    assert not list(tmp_path.iterdir())


def test_such_a_network_is_used_alone_and_with_its_own_card(tmp_path):
    with pytest.raises(InputError, match="is used alone"):
        predict_volume([by_grey_value(), pointwise()], voxels(), tmp_path / "o.mrc")
    with pytest.raises(InputError, match="gives 3 channels in logits, its task of the kind 'classes' has 2"):
        by_grey_value(classes=("a", "b"))
    with pytest.raises(ValueError, match="more than two halos"):
        tiny_card(tile_px=256, halo_px=288)
    with pytest.raises(ValueError, match="two or more different names"):
        ClassesTask(class_names=("a", "a"))
