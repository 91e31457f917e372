"""A kind of task from outside of segkit is trained, resumed, predicted, exported, evaluated and reported."""

import dataclasses
import json
import logging
import pathlib
import re

import keras
import numpy as np
import pytest
import tifffile
from own_task import DenoisingTask

from segkit.data.augmentation import NO_AUGMENTATION
from segkit.data.sources import Source
from segkit.errors import InputError
from segkit.experiments.job import Network, set_up
from segkit.experiments.plan import RunPlan
from segkit.experiments.training_run import card_of, predict_all, run
from segkit.export.from_file import export_from_file
from segkit.models.files import save_model
from segkit.training.plan import TrainingPlan
from segkit.volumes.files import open_volume

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a run exports, which is TensorFlow's")


def network(*, axes=2, l2=0.0):
    """Two convolutions of images or volumes whose result is added to the input."""
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[axes]
    inputs = keras.Input((*(None,) * axes, 1), name="voxels")
    x = convolution(8, 3, padding="same", activation="relu")(inputs)
    x = convolution(1, 3, padding="same", dtype="float32")(x)
    return keras.Model(inputs, {"values": keras.layers.Add(dtype="float32", name="values")([x, inputs])})


NETWORK = Network(network, multiple_px=1, halo_px=2)


@pytest.fixture
def plan(tmp_path):
    rng = np.random.default_rng(0)
    clean = np.kron(rng.integers(0, 200, (8, 5, 7)), np.ones((1, 8, 8))).astype(np.float32)
    tifffile.imwrite(tmp_path / "clean.tif", clean, photometric="minisblack")
    noisy = clean + rng.normal(0, 40, clean.shape).astype(np.float32)
    tifffile.imwrite(tmp_path / "noisy.tif", noisy, photometric="minisblack")
    source = Source(
        tomogram=str(tmp_path / "noisy.tif"),
        mask=str(tmp_path / "clean.tif"),
        train="0-3",
        validation="4-5",
        test="6-7",
    )
    training = TrainingPlan(
        patch_px=32, stride_px=8, validation_stride_px=8, batch_size=4, epochs=2, learning_rate=1e-2,
        augmentation=NO_AUGMENTATION, precision="float32",
    )  # fmt: skip
    return RunPlan(
        recipe="own", structure="texture", preset="test", data=(source,), task=DenoisingTask(), training=training
    )


@pytest.mark.parametrize(("watches", "axes"), [("psnr", 2), ("loss", 2), ("psnr", 3)])
def test_the_whole_life_of_a_run(plan, watches, axes, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="segkit")
    training = dataclasses.replace(plan.training, patch_slices=2 if axes == 3 else None)
    plan = dataclasses.replace(plan, task=DenoisingTask(watches=watches), training=training, model={"axes": axes})
    plan = RunPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert plan.task == DenoisingTask(watches=watches)
    scores = run(set_up(plan, tmp_path / "run", NETWORK), saved_models=tmp_path / "served")
    longer = dataclasses.replace(plan, training=dataclasses.replace(plan.training, epochs=4))
    resumed = run(set_up(longer, tmp_path / "run", NETWORK), saved_models=tmp_path / "served", resume=True)
    assert (scores["epochs"], resumed["epochs"]) == (2, 4)
    rows = (tmp_path / "run/log.csv").read_text().splitlines()
    assert len(rows) == 5
    values = [float(row.split(",")[rows[0].split(",").index(f"val_{watches}")]) for row in rows[1:]]
    best = values.index(max(values) if watches == "psnr" else min(values))
    assert resumed["best_epoch"]["epoch"] == best + 1
    assert [row.split(",")[rows[0].split(",").index("epoch")] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert f"validation {'PSNR' if watches == 'psnr' else 'loss'}" in caplog.text
    noisy, clean, found = (
        np.asarray(open_volume(path).array[6:], float)
        for path in (tmp_path / "noisy.tif", tmp_path / "clean.tif", tmp_path / "run/clean.tif")
    )
    assert resumed["total"]["mse"] == pytest.approx(((found - clean) ** 2).mean(), rel=1e-5)
    assert resumed["total"]["mse"] < ((noisy - clean) ** 2).mean(), "in grey values"
    page = (tmp_path / "run/report.html").read_text()
    assert "Mean squared error" in page
    parts = re.split("<summary>Scores of 2 slices", page)
    for part in parts:
        assert "<th>MSE</th>" in part
    assert "Counts" not in page
    assert all(f"<td>{row['mse']:.4f}</td>" in parts[1] for row in resumed["scores"][0]["slices"])
    assert ("PSNR per epoch" in page) == (watches == "psnr")
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "served/own-texture/2")).signatures["raw_float32"]
    whole = np.asarray(open_volume(tmp_path / "noisy.tif").array[:], np.float32)
    values = served(slices=tf.constant(whole[None] if axes == 3 else whole))
    assert set(values) == {"values"}
    np.testing.assert_allclose(np.reshape(values["values"], whole.shape)[6:], found, rtol=1e-5, atol=1e-3)


def test_a_plan_of_an_unknown_kind_is_one_line(plan):
    values = plan.to_dict()
    values["task"]["kind"] = "colourising"
    with pytest.raises(InputError, match="unknown task 'colourising'; choose one of foreground, classes"):
        RunPlan.from_dict(values)
    values["task"] = {"kind": "denoising", "watches": "psnr", "colour": 3}
    with pytest.raises(InputError, match="task 'denoising': unknown setting 'colour'"):
        RunPlan.from_dict(values)


def test_an_annotation_that_the_task_cannot_use_is_one_line(plan, tmp_path):
    clean = tifffile.imread(tmp_path / "clean.tif")
    clean[1, 2, 3] = np.nan
    tifffile.imwrite(tmp_path / "clean.tif", clean, photometric="minisblack")
    with pytest.raises(InputError, match=r"clean.tif: .*NaN"):
        set_up(plan, tmp_path / "run", NETWORK)


@pytest.fixture
def job(plan, tmp_path):
    """A job whose model is there, untrained."""
    plan = dataclasses.replace(plan, model={"axes": 2})
    job = set_up(plan, tmp_path / "run", NETWORK)
    job.folder.mkdir()
    save_model(network(), job.folder / "model.keras", card_of(job))
    return job


def test_commands_import_the_kind_where_they_are_told_to(job, warm_python, tmp_path):
    tests = pathlib.Path(__file__).parents[1]
    places = ["--model", job.folder, "--input", tmp_path / "noisy.tif", "--output", tmp_path / "found.tif"]

    def segkit(*words):
        done = warm_python.run(["-m", "segkit", *words], PYTHONPATH=str(tests.parent), cwd=tests)
        return done.returncode, done.stderr

    status, message = segkit("predict", *places)
    assert status == 2
    assert "unknown task 'denoising'" in message
    assert "--import MODULE" in message
    status, message = segkit("predict", *places, "--import", "own_tasks")
    assert status == 2
    assert "--import own_tasks: the module cannot be imported" in message
    assert segkit("predict", *places, "--import", "own_task")[0] == 0
    assert (tmp_path / "found.tif").exists()
    assert segkit("export", "--model", job.folder, "--root", tmp_path / "served", "--import", "own_task")[0] == 0
    assert (tmp_path / "served/own-texture/1/saved_model.pb").exists()
    pair = ["--prediction", tmp_path / "found.tif", "--reference", tmp_path / "clean.tif", "--slices", "6-7"]
    ask = ["--task", "denoising", "--import", "own_task", "--json", tmp_path / "scores.json"]
    assert segkit("evaluate", *pair, *ask) == (0, "")
    found, clean = (open_volume(tmp_path / name).array[6:].astype(float) for name in ("found.tif", "clean.tif"))
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["total"]["mse"] == pytest.approx(((found - clean) ** 2).mean(), rel=1e-5)


def test_processes_that_a_run_starts_know_the_kind(job, tmp_path, monkeypatch, warm_subprocess):
    found = predict_all(job, job.folder / "model.keras", max_ram=2**33)
    assert open_volume(found[0]).dtype == np.float32
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert (export_from_file(job.folder, tmp_path / "served") / "saved_model.pb").exists()
