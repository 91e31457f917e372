"""Several models of one structure: the mean of their maps is decided on."""

import json
import os
import re

import numpy as np
import pytest
from tiny_models import pointwise, sigmoid

from segkit import cli
from segkit.console import run_command
from segkit.errors import InputError
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.instances.instance_settings import InstanceSettings
from segkit.models.files import save_model
from segkit.notebook.predict import predict
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.cells import CellsTask
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

VOXELS = np.random.default_rng(0).normal(0, 2, (3, 20, 24)).astype(np.float32)


def two_models(**second):
    # Each has a normalisation of its own, as folds have, which measure it on their own training data.
    other = {"preprocessing": Standardize(mean=1.0, std=2.0), **second}
    return [pointwise(1.0, threshold=0.6), pointwise(-3.0, 1.0, **other)]


def mean_probability():
    return (sigmoid(VOXELS) + sigmoid(-3 * (VOXELS - 1) / 2 + 1)) / 2


def test_the_mean_of_the_probabilities_is_written_and_decided_on():
    found = predict(two_models(), VOXELS, average=True, probability=True)
    np.testing.assert_allclose(found, mean_probability(), atol=1e-6)
    mask = predict(two_models(), VOXELS, average=True)
    # The threshold of the first model.
    assert mask.dtype == np.uint8 and np.array_equal(mask, mean_probability() > 0.6) and 0 < mask.mean() < 1
    assert np.array_equal(predict(two_models(), VOXELS, average=True, threshold=0.3), mean_probability() > 0.3)


def test_the_mean_of_networks_of_boxes():
    import keras

    inputs = keras.Input((None, None, None, 1))
    layer = keras.layers.Conv3D(1, 1, dtype="float32", name="logits")
    model = keras.Model(inputs, {"logits": layer(inputs)})
    layer.set_weights([np.full((1, 1, 1, 1, 1), 2.0), np.zeros(1)])
    from segkit.inference.loaded_model import LoadedModel

    boxes = [LoadedModel(model, one.card) for one in two_models()]
    found = predict(boxes, VOXELS, average=True, probability=True)
    np.testing.assert_allclose(found, (sigmoid(2 * VOXELS) + sigmoid(VOXELS - 1)) / 2, atol=1e-6)


def test_one_mask_without_a_legend(tmp_path):
    done = predict_volume(two_models(), Volume(array=VOXELS), tmp_path / "m.tif", PredictOptions(average=True))
    assert done.legend is None and done.overlap_voxels == 0
    assert dict(done.voxels) == {"blob": int((mean_probability() > 0.6).sum())}


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(
        InputError, match="differ in structure cannot be averaged: blob of pointwise, golgi of pointwise"
    ):
        predict(two_models(structure="golgi"), VOXELS, average=True)
    with pytest.raises(InputError, match="add --average if they are of one structure"):
        predict(two_models(), VOXELS, probability=True)
    with pytest.raises(InputError, match="--average with one model; give several"):
        predict(two_models()[:1], VOXELS, average=True)


def cells(min_size, seed_distance, method="components"):
    settings = InstanceSettings(method=method, min_size=min_size, seed_distance=seed_distance)
    return CellsTask(instances=settings)


def test_objects_are_separated_with_the_median_of_what_folds_have_measured():
    voxels = np.full((1, 20, 24), -5, np.float32)
    voxels[0, 2:4, 2:4] = 5  # four voxels
    voxels[0, 10:13, 10:13] = 5  # nine
    models = [pointwise(task=cells(size, distance)) for size, distance in ((100, 1), (5, 2), (1, 3))]
    found = predict(models, voxels, average=True)
    assert found.max() == 1 and (found > 0).sum() == 9
    other = [models[0], pointwise(task=cells(1, 1, "distance"))]
    with pytest.raises(InputError, match="method 'components' of one model and 'distance' of another"):
        predict(other, voxels, average=True)


@pytest.fixture
def folds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, loaded in enumerate(two_models(), 1):
        (tmp_path / f"runs/fold-{number}").mkdir(parents=True)
        save_model(loaded.model, f"runs/fold-{number}/model.keras", loaded.card)
    (tmp_path / "runs" / "cross_validation.json").write_text(json.dumps({"folds": 2}))
    save_volume("T.tif", Volume(array=VOXELS))


def test_the_folder_of_a_cross_validation_means_all_of_its_folds(folds, capsys):
    assert run_command(cli.main, ["predict", "--model", "runs", "--input", "T.tif", "--output", "m.tif"]) == 0
    assert np.array_equal(np.asarray(open_volume("m.tif").array[:]), mean_probability() > 0.6)
    assert "runs: the mean of 2 folds is predicted" in capsys.readouterr().err
    found = predict("runs", "T.tif", probability=True)
    np.testing.assert_allclose(found.array, mean_probability(), atol=1e-6)
    words = "predict --model runs/fold-1 runs/fold-2 --average --input T.tif --output n.tif"
    assert run_command(cli.main, words.split()) == 0
    assert np.array_equal(np.asarray(open_volume("n.tif").array[:]), mean_probability() > 0.6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "predict --model runs runs/fold-1 --input T.tif --output m.tif",
            "runs: holds the folds of a cross-validation",
        ),
        ("predict --model runs/fold-1 runs/fold-1 --input T.tif --output m.tif", "runs/fold-1: is given twice"),
        ("export --model runs", "give one of them, such as runs/fold-1"),
        ("predict --model runs/fold-1 --input T.tif --output m.tif --dry-run --workers 2", "leave out --workers"),
    ],
)
def test_what_has_no_use_for_folds(folds, words, message, capsys):
    assert run_command(cli.main, words.split()) == 2
    assert message in capsys.readouterr().err


def test_a_dry_run_of_the_command(folds, tmp_path, capsys):
    assert (
        run_command(cli.main, ["predict", "--model", "runs", "--input", "T.tif", "--output", "m.tif", "--dry-run"]) == 0
    )
    assert re.match(
        r"m\.tif: about [\d.]+ s after the models are loaded \(3 slices, whole slices, [\d.e-]+ s each\); ",
        capsys.readouterr().out,
    )
    words = "predict --model runs --input T.tif none.tif --output-dir masks --dry-run"
    assert run_command(cli.main, words.split()) == 2
    table = capsys.readouterr().out
    assert "T-mask.tif" in table and "3 slices" in table and "failed: none.tif" in table
    assert sorted(os.listdir()) == ["T.tif", "runs"]


def test_a_fold_that_has_not_ended_is_named(folds, tmp_path, capsys):
    (tmp_path / "runs" / "cross_validation.json").write_text(json.dumps({"folds": 3}))
    assert run_command(cli.main, ["predict", "--model", "runs", "--input", "T.tif", "--output", "m.tif"]) == 2
    assert "runs: fold-3 of 3 folds has no model yet; finish the training with --out runs --resume" in (
        capsys.readouterr().err
    )
