"""Predictions are the same where model, input and choices are, and only there."""

import dataclasses
import json

import numpy as np
from tiny_models import pointwise

from segkit.inference.identity import model_identity, volume_identity
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume


def test_a_weight_or_a_fact_of_the_card_makes_another_model():
    known = model_identity(pointwise(1.0))
    assert model_identity(pointwise(1.0)) == known
    assert json.loads(json.dumps(known)) == known
    assert model_identity(pointwise(np.nextafter(np.float32(1), np.float32(2))))["sha256"] != known["sha256"]
    assert model_identity(pointwise(1.0, threshold=0.4)) != known


def test_where_a_model_comes_from_does_not_count():
    loaded = pointwise()
    moved = dataclasses.replace(loaded, card=dataclasses.replace(loaded.card, provenance={"plan": "another"}))
    assert model_identity(moved) == model_identity(loaded)


def test_every_voxel_of_an_array_counts():
    array = np.zeros((9, 4, 5), np.uint8)
    other = array.copy()
    other[1, 3, 4] = 1  # neither the first, the middle nor the last slice
    assert volume_identity(Volume(array=array.copy())) == volume_identity(Volume(array=array))
    assert volume_identity(Volume(array=other)) != volume_identity(Volume(array=array))
    assert volume_identity(Volume(array=array.view(np.int8))) != volume_identity(Volume(array=array))


def test_a_file_that_was_written_again_is_another_and_flipped_rows_too(tmp_path):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    path = tmp_path / "v.tif"
    save_volume(path, Volume(array=array))
    known = volume_identity(open_volume(path))
    assert volume_identity(open_volume(path)) == known
    assert volume_identity(open_volume(path, flip_y=True)) != known
    array[1, 2, 3] += 1
    save_volume(path, Volume(array=array), overwrite=True)
    assert volume_identity(open_volume(path)) != known
