"""An estimate checks what a prediction checks, measures its first blocks, and writes nothing."""

import itertools
import os

import numpy as np
import pytest
from tiny_models import pointwise

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.estimate import Estimate, estimate_prediction
from segkit.inference.predict_options import PredictOptions
from segkit.volumes.volume import Volume


def volume(shape=(6, 20, 24)):
    return Volume(array=np.random.default_rng(0).normal(0, 1, shape).astype(np.float32))


def test_nothing_is_written_and_time_is_that_of_all_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ticks = itertools.count()
    options = PredictOptions(roi=Region.parse("1:5,:,:"))
    found = estimate_prediction([pointwise()], volume(), "m.mrc", options, now=lambda: 3.0 * next(ticks))
    assert os.listdir() == []
    # Four slices go into one batch, which took 3 s.
    assert found.num_blocks == 4 and found.block_seconds == pytest.approx(0.75) and found.seconds == pytest.approx(3)
    assert found.disk == 2 * 6 * 20 * 24 and found.memory > 2**20 and not found.is_separated
    assert found.cut == "whole slices of 20 x 24 px"


def test_tiles_and_probability(tmp_path):
    options = PredictOptions(probability=True, tile_px=16)
    found = estimate_prediction([pointwise()], volume(), tmp_path / "p.tif", options)
    assert found.cut == "4 tiles of 16 x 16 px for each slice" and found.num_blocks == 6
    assert found.disk == 8 * 6 * 20 * 24


def test_what_cannot_be_predicted_is_refused(tmp_path):
    (tmp_path / "m.mrc").write_bytes(b"taken")
    with pytest.raises(InputError, match="already exists"):
        estimate_prediction([pointwise()], volume(), tmp_path / "m.mrc")
    assert estimate_prediction([pointwise()], volume(), tmp_path / "m.mrc", overwrite=True).num_blocks == 6
    with pytest.raises(InputError, match=r"m\.txt"):
        estimate_prediction([pointwise()], volume(), tmp_path / "m.txt")
    with pytest.raises(InputError, match="2 models: a probability"):
        estimate_prediction([pointwise()] * 2, volume(), tmp_path / "p.mrc", PredictOptions(probability=True))
    assert (tmp_path / "m.mrc").read_bytes() == b"taken" and os.listdir(tmp_path) == ["m.mrc"]


def test_the_line_for_people():
    facts = {"num_blocks": 60, "cut": "boxes", "block_seconds": 1.5, "seconds": 90.0, "memory": 2**30, "disk": 2**29}
    assert str(Estimate(**facts, is_separated=True)) == (
        "about 0:01:30 h:m:s (60 blocks of 1.5 s, then objects are separated), memory 1.0 GiB, disk 512.0 MiB; boxes"
    )
