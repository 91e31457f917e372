"""Plans and model files that version 0.1 has written open, and give what they gave then."""

import json
import pathlib

import numpy as np
import pytest

from segkit.errors import InputError
from segkit.experiments.plan import read_plan
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_volume import predict_volume
from segkit.instances.instance_settings import InstanceSettings
from segkit.models.files import read_card
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.standardize import Standardize
from segkit.tasks import CellsTask, CentersTask, ClassesTask, ForegroundTask
from segkit.volumes.files import open_volume

KEPT = pathlib.Path(__file__).with_name("files_of_0_1")


@pytest.mark.parametrize("kind", ["mask", "classes", "cells", "centers"])
def test_a_model_predicts_what_it_predicted(kind, tmp_path):
    done = predict_volume(
        [LoadedModel.open(KEPT / f"{kind}.keras")], open_volume(KEPT / "stack.tif"), tmp_path / "p.tif"
    )
    found, expected = (np.asarray(open_volume(p).array[:]) for p in (done.path, KEPT / f"{kind}-predicted.tif"))
    assert found.dtype == expected.dtype
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(found, expected)


def test_cards_are_todays_tasks():
    mask, classes, cells, centers = (
        read_card(KEPT / f"{kind}.keras") for kind in ("mask", "classes", "cells", "centers")
    )
    assert isinstance(mask.task, ForegroundTask)
    assert mask.task.threshold != 0.5
    assert mask.preprocessing == Standardize(mean=60.0, std=50.0)
    assert (mask.halo_px, mask.multiple_px, mask.voxel_size_nm) == (48, 4, (10.0, 5.0, 5.0))
    assert classes.task == ClassesTask(class_names=("background", "a", "b"))
    assert (classes.halo_px, classes.tile_px) == (None, 32)
    assert type(cells.task) is CellsTask
    assert cells.task.threshold == cells.task.instances.threshold != 0.5
    assert cells.preprocessing.windows == (1, 2)
    assert isinstance(cells.preprocessing.coloring, Pseudocoloring)
    assert isinstance(centers.task, CentersTask)
    assert centers.task.instances.seed_distance == 4.0


def plan(kind):
    return read_plan(KEPT / f"plan-{kind}.json")


def test_plans_are_todays_tasks():
    assert plan("mask").task == ForegroundTask(loss="bce_jaccard")
    assert plan("mask").preprocessing == Standardize()
    names = ("background", "nucleus", "nucleolus")
    assert plan("classes").task == ClassesTask(class_names=names)
    assert plan("supervision").task == ClassesTask(class_names=names, supervision=0.2781)
    stored = json.loads((KEPT / "plan-cells.json").read_text())
    assert plan("cells").task == CellsTask(loss="dice", instances=InstanceSettings.from_dict(stored["instances"]))
    assert plan("cells").preprocessing == ColorSlices(coloring=stored["coloring"], windows=stored["windows"])
    assert isinstance(plan("centers").task, CentersTask)


@pytest.mark.parametrize("kind", ["mask", "classes", "supervision", "cells", "centers"])
def test_a_plan_written_again_is_read_as_the_same(kind, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan(kind).to_dict()))
    assert read_plan(path) == plan(kind)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("supervision", {"model": {"method": "supervision"}}, "task 'classes': supervision None; give a number"),
        ("cells", {"instances": "distance"}, "task 'cells': instances 'distance'; give a JSON object"),
        ("classes", {"classes": "ab"}, "task 'classes': class_names 'ab'; give a list of entries, each text"),
        ("cells", {"coloring": "grey"}, "preprocessing 'coloring': `coloring` must be a colouring, or an object"),
        ("mask", {"model": "seget"}, "plan: model 'seget'; give a JSON object"),
    ],
)
def test_a_plan_that_was_edited_by_hand_is_refused_in_one_line(kind, changes, message, tmp_path):
    stored = json.loads((KEPT / f"plan-{kind}.json").read_text())
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**stored, **changes}))
    with pytest.raises(InputError, match=message) as fault:
        read_plan(path)
    assert "\n" not in str(fault.value)
