"""Objects are separated by distances of the training data, whatever the voxels of a volume."""

import numpy as np
import pytest

from segkit.inference.object_scale import ObjectScale, object_scale
from segkit.models.card import ModelCard
from segkit.tasks.cells import CellsTask
from segkit.tasks.foreground import ForegroundTask
from segkit.volumes.volume import Volume

VOXELS = np.zeros((2, 3, 4), np.uint8)


def scale(found, expected, rescale=False, task=CellsTask()):  # noqa: B008 (frozen)
    volume = Volume(array=VOXELS, voxel_size_nm=found)
    card = ModelCard(name="a", structure="a", voxel_size_nm=expected, task=task)
    return object_scale(volume, card, rescale=rescale)


def test_distances_are_in_pixels_of_the_volume():
    assert scale((40.0, 10.0, 10.0), (100.0, 100.0, 100.0)) == ObjectScale((4.0, 1.0, 1.0), 1.0)


def test_distances_are_in_pixels_of_the_training_data_where_slices_are_rescaled():
    found = scale((25.0, 25.0, 25.0), (100.0, 100.0, 100.0), rescale=True)
    assert found == ObjectScale((0.25, 0.25, 0.25), pytest.approx(1 / 64))


def test_a_volume_of_unknown_voxel_size_has_the_models(caplog):
    with caplog.at_level("INFO"):
        assert scale(None, (400.0, 100.0, 100.0)) == ObjectScale((4.0, 1.0, 1.0), 1.0)
    assert "its voxel size is unknown; objects are separated as if it were the model's, 400 x 100 x 100" in caplog.text
    assert scale(None, None) == ObjectScale((1.0, 1.0, 1.0), 1.0)
    caplog.clear()
    with caplog.at_level("INFO"):
        assert scale(None, (100.0, 100.0, 100.0)) == ObjectScale((1.0, 1.0, 1.0), 1.0)
    assert not caplog.text  # of cubes any size is the same


def test_nothing_is_said_of_objects_where_the_result_is_a_mask(caplog):
    with caplog.at_level("INFO"):
        scale(None, (400.0, 100.0, 100.0), task=ForegroundTask())
    assert not caplog.text
