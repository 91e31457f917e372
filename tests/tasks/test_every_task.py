"""What training, prediction and report take for granted of every kind of task."""

import inspect
import json

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.instances.instance_settings import InstanceSettings
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask
from segkit.tasks.classes import ClassesTask
from segkit.tasks.collapse_alarm import CollapseAlarm
from segkit.tasks.foreground import ForegroundTask
from segkit.tasks.task import TASKS
from segkit.volumes.volume import Volume

MEASURED = Standardize(mean=0.0, std=1.0)
CASES = {
    "foreground": ForegroundTask(threshold=0.25),
    "classes": ClassesTask(class_names=("sky", "sun", "moon")),
    "supervised": ClassesTask(class_names=("sky", "sun", "moon"), supervision=0.25),
    "cells": CellsTask(instances=InstanceSettings(threshold=0.25)),
    "centers": CentersTask(),
}
every = pytest.mark.parametrize("task", CASES.values(), ids=CASES)


def outputs_of(task, shape=(2, 3, 4)):
    """Return logits of a network of the task."""
    rng = np.random.default_rng(0)
    return {one.name: rng.normal(0, 3, (*shape, one.channels)).astype(np.float32) for one in task.outputs}


def maps_of(task):
    return keras.ops.convert_to_numpy(task.maps(outputs_of(task), MEASURED))


def test_all_kinds_are_here():
    assert {task.kind for task in CASES.values()} >= {"foreground", "classes", "cells", "centers"}


@every
def test_a_task_comes_back_from_its_plan(task):
    assert TASKS.from_dict(json.loads(json.dumps(TASKS.to_dict(task)))) == task


@every
def test_losses_metrics_and_outputs_fit(task):
    names = {output.name for output in task.outputs}
    assert set(task.losses()) == names and set(task.metrics()) <= names
    assert sum(output.share for output in task.outputs) == pytest.approx(
        1 if len(names) == 1 or task.kind == "classes" else 2
    )
    target = task.target(weight_limit=None, ignore_value=None, preprocessing=MEASURED)
    assert {channel for span in task.spans.values() for channel in range(*span)} == set(range(target.channels))
    assert task.outputs[0].served == "probability"


@every
def test_maps_are_probabilities_of_what_is_predicted(task):
    maps = maps_of(task)
    assert maps.shape == (2, 3, 4, task.num_maps) and maps.dtype == np.float32
    assert task.num_maps == sum(output.channels for output in task.predicted)
    assert 0 <= maps.min() < maps.max() <= 1
    if task.kind == "classes":
        np.testing.assert_allclose(maps.sum(axis=-1), 1, rtol=1e-5)


@every
def test_a_decision_is_the_same_in_numpy_and_in_a_served_model(task):
    maps = maps_of(task)
    found, served = task.decide(maps), keras.ops.convert_to_numpy(task.decide(maps, keras.ops))
    np.testing.assert_array_equal(found, served)
    expected = maps.argmax(axis=-1) if task.kind == "classes" else maps[..., 0] > task.threshold
    np.testing.assert_array_equal(found, expected)
    assert task.served_decision == ("labels" if task.kind == "classes" else "mask")


@every
def test_what_is_kept_is_what_was_announced(task):
    maps = maps_of(task)
    channels, dtype = task.kept
    kept = task.keep(maps, np.asarray(task.decide(maps)))
    assert kept.dtype == dtype and kept.shape == ((2, 3, 4) if channels is None else (2, 3, 4, channels))


@every
def test_voxels_are_counted_for_each_label(task):
    decided = np.asarray(task.decide(maps_of(task)))
    counts = task.count_labels(decided)
    assert counts.tolist() == [int((decided == label).sum()) for label in range(1, max(1, len(task.labels)) + 1)]


@every
def test_thresholds_and_probabilities_are_for_foreground_alone(task):
    if task.kind == "classes":
        for ask in (lambda: task.with_threshold(0.5), lambda: task.probability_map):
            with pytest.raises(InputError, match="gives labels"):
                ask()
    else:
        assert task.with_threshold(0.75).threshold == 0.75 and task.probability_map == 0
        assert task.with_threshold(0.75).learning() == task.learning()  # the training stays as it is


@every
def test_settings_of_an_evaluation_are_taken_by_it(task):
    arguments = set(inspect.signature(task.evaluate).parameters)
    assert set(task.evaluation_settings) <= arguments


@every
def test_labels_have_the_names_of_the_classes_and_the_first_one_is_background(task):
    is_classes = task.kind == "classes"
    assert task.labels == (("sun", "moon") if is_classes else ())
    assert task.background == ("sky" if is_classes else "background")


def test_only_masks_of_one_structure_are_merged():
    assert {kind: task.used_alone is None for kind, task in CASES.items()} == {
        **dict.fromkeys(CASES, False),
        "foreground": True,
    }


def test_cells_are_predicted_where_they_are_scored_alone():
    assert [name for name, task in CASES.items() if task.predicts_scored_only] == ["cells", "centers"]


def test_a_network_that_finds_nothing_is_told_of_after_three_epochs():
    alarm = CollapseAlarm()
    for epoch in range(3):
        assert alarm.alarms == []
        alarm.on_epoch_end(epoch, {"val_predicted_foreground": 0.0})
    assert len(alarm.alarms) == 1 and "for 3 epochs" in alarm.alarms[0]


def test_the_smallest_object_is_as_large_in_voxels_of_any_size(tmp_path):
    maps = np.zeros((6, 8, 16), np.float32)
    maps[1:5, 2:6, 2:6] = maps[1:5, 2:6, 9:13] = 1
    maps[1, 2, 2] = 0  # 63 voxels against 64, each an eighth of a voxel that the settings are meant for
    task = CellsTask(instances=InstanceSettings(method="components", min_size=8))

    def finish(**scale):
        return task.finish(maps.__getitem__, maps.shape, voxel_size=(1, 1, 1), folder=tmp_path, max_ram=None, **scale)

    np.testing.assert_array_equal(finish(voxel_volume=1 / 8)[..., :8], 0)
    np.testing.assert_array_equal(finish(voxel_volume=1 / 8)[..., 8:], maps[..., 8:])
    assert finish().max() == 2


def test_the_numbers_that_matter():
    classes = {"mean_iou": 0.5, "iou": {"sky": 0.75, "sun": None}}
    assert CASES["classes"].headline({"total": classes}) == [
        ("Mean IoU", "0.500"),
        ("IoU: sky", "0.750"),
        ("IoU: sun", "undefined"),
    ]
    binary = {"foreground_iou": 0.25, "mean_iou": 0.5, "dice": 0.4, "precision": 1.0}
    assert CASES["foreground"].headline({"total": binary}) == [
        ("Foreground IoU", "0.250"),
        ("Mean IoU", "0.500"),
        ("Dice", "0.400"),
    ]


@pytest.mark.parametrize("kind", ["cells", "centers"])
def test_the_numbers_that_matter_of_cells(kind):
    total = {"seg": 0.5, "ap_50": 0.75, "mean_iou": 0.25}
    scores = {"total": total, "otsu": {"seg": 0.125}, "slice_by_slice": False, "num_parameters": 2_000_000}
    assert CASES[kind].headline(scores) == [
        ("SEG, whole cells", "0.500"),
        ("SEG of Otsu's threshold", "0.125"),
        ("Average precision at IoU 0.5", "0.750"),
        ("Mean IoU", "0.250"),
        ("PESEG", "0.250"),
    ]
    names = [name for name, _ in CASES[kind].headline({"total": total, "slice_by_slice": True})]
    assert names == ["SEG, slice by slice", "Average precision at IoU 0.5", "Mean IoU"]
    # No cell, no SEG.
    nothing = {"total": {**total, "seg": None}, "num_parameters": 2_000_000}
    assert CASES[kind].headline(nothing)[0][0] == "SEG"
    assert [CASES[kind].headline(nothing)[place][1] for place in (0, -1)] == ["undefined"] * 2


@every
def test_every_label_is_counted_also_where_it_does_not_occur(task):
    counts = task.count_labels(np.zeros((2, 3), task.result_dtype))
    assert counts.tolist() == [0] * max(len(task.labels), 1)
    assert task.count_labels(np.array([[0, 1], [1, 0]], task.result_dtype))[0] == 2


def test_the_network_of_centres_has_them():
    assert CASES["centers"].build_settings() == {"with_centers": True}
    assert CASES["cells"].build_settings() == {}


def doubts(reference, slices=None):
    """Return what looks wrong of ids that are scored against themselves."""
    volume, task = Volume(array=reference), CASES["cells"]
    return task.doubts(task.evaluate(volume, volume, slices=slices), volume, volume, slices=slices)


def test_a_huge_object_is_told_once():
    labels = np.full((2, 20, 20), 9, np.uint8)
    labels[:, 4:6, 4:6], labels[:, 12:14, 12:14] = 1, 2
    (line,) = [line for _, line in doubts(labels) if "--ignore-value 9" in line]
    assert line.startswith("the object 9 has 98 % of the voxels with an id")


def test_slices_that_are_not_scored_give_no_doubt():
    labels = np.zeros((2, 9, 20), np.uint8)
    labels[0, 3:6, 3:6] = 1
    labels[1, 3:6, 2:5] = labels[1, 3:6, 8:11] = labels[1, 3:6, 14:17] = 1
    assert any("one id in several pieces" in line for _, line in doubts(labels))
    assert any("one id in several pieces" in line for _, line in doubts(labels, [1]))
    assert doubts(labels, [0]) == []
