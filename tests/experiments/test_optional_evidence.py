"""What a recipe shows beside the scores never breaks a run that lacks what it is about."""

import json

import keras
import numpy as np
import pytest
import tifffile

from segkit.data.sources import Source
from segkit.experiments.cell_evidence import ColoringSteps, OtsuBaseline
from segkit.experiments.class_comparison import class_rows, class_summary, class_table, measure_classes
from segkit.experiments.compare import compare
from segkit.experiments.comparison import Comparison, Findings
from segkit.experiments.job import Network, set_up
from segkit.experiments.plan import RunPlan
from segkit.experiments.tile_scores import TileScores
from segkit.experiments.training_run import run
from segkit.experiments.variation import varied
from segkit.tasks import CellsTask, ClassesTask
from segkit.training.plan import TrainingPlan

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a run exports, which is TensorFlow's")
TRAINING = TrainingPlan(
    patch_px=32, stride_px=32, validation_stride_px=32, batch_size=4, epochs=1, learning_rate=1e-2, precision="float32"
)


def two_layers(width, channels):
    inputs = keras.Input((None, None, 1), name="voxels")
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(channels, 3, padding="same", name="logits")(x)})


@pytest.fixture
def source(tmp_path):
    labels = np.zeros((5, 32, 48), np.uint8)
    labels[:, 4:14, 4:14], labels[:, 18:30, 20:40] = 1, 2
    image = (60 * (labels > 0) + np.random.default_rng(0).integers(0, 40, labels.shape)).astype(np.uint8)
    for name, stack in (("image", image), ("labels", labels)):
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    paths = {"tomogram": str(tmp_path / "image.tif"), "mask": str(tmp_path / "labels.tif")}
    return Source(**paths, train="0-2", validation="3", test="4")


def finished(plan, network, tmp_path):
    run(set_up(plan, tmp_path / "run", network), saved_models=tmp_path / "served")
    return json.loads((tmp_path / "run/scores.json").read_text()), (tmp_path / "run/report.html").read_text()


def test_classes_without_reestimated_statistics(source, tmp_path):
    def network(*, num_classes, l2):
        return two_layers(4, num_classes)

    task = ClassesTask(class_names=("gel", "a", "b"))
    plan = RunPlan(recipe="own", structure="s", preset="test", data=(source,), task=task, training=TRAINING)
    scores, page = finished(plan, Network(network, 2, None, evidence=(TileScores(),)), tmp_path)
    kinds = {use: list(found) for use, found in scores["tiles"].items()}
    assert kinds == {"validation": ["running"], "test": ["running"]}
    assert "Scores tile by tile" in page


def test_a_comparison_of_classes_without_reestimated_statistics(source, tmp_path):
    def own_network(plan):
        def build(*, num_classes, width, l2):
            return two_layers(width, num_classes)

        return Network(build, 2, None)

    def findings(job, trials):
        rows = class_rows(trials)
        classes = job.plan.task.class_names
        table = class_table(rows, classes, {"2": "narrow"})
        return Findings(title="widths", rows=rows, table=table, entries={"summary": class_summary(rows, classes)})

    comparison = Comparison(
        kind="compare",
        noun="widths",
        file_name="comparison",
        variants=("2",),
        help="compare widths",
        vary=lambda job: (
            lambda width, seed: varied(
                job, own_network, job.folder / "cells" / f"{width}-{seed}", seed=seed, width=int(width)
            )
        ),
        findings=findings,
    )
    task = ClassesTask(class_names=("gel", "a", "b"))
    plan = RunPlan(
        recipe="own", structure="s", preset="test", data=(source,), model={"width": 2}, task=task, training=TRAINING
    )
    compare(set_up(plan, tmp_path, own_network(plan)), comparison, measure_classes, ("2",), (0,))
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert [(entry["method"], entry["statistics"]) for entry in found["summary"]] == [("2", "running")]
    assert len((tmp_path / "comparison.md").read_text().splitlines()) == 3
    assert (tmp_path / "report.html").exists()


def test_cells_on_grey_slices(source, tmp_path):
    def network(*, l2):
        return two_layers(4, 1)

    plan = RunPlan(recipe="own", structure="s", preset="test", data=(source,), task=CellsTask(), training=TRAINING)
    scores, page = finished(plan, Network(network, 2, None, evidence=(OtsuBaseline(), ColoringSteps())), tmp_path)
    assert scores["otsu"]["seg"] > 0.5
    assert "Beside a threshold" in page
    assert "How a slice gets its colours" not in page
