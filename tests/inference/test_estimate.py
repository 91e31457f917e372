"""An estimate checks what a prediction checks, measures some blocks, and writes nothing."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny_models import pointwise, tiny_card

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference.estimate import Estimate, estimate_prediction
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.process_memory import peak_bytes, resident_bytes
from segkit.volumes.volume import Volume


def volume(shape=(6, 20, 24)):
    return Volume(array=np.random.default_rng(0).normal(0, 1, shape).astype(np.float32))


def boxes(**options):
    """Estimate 4 x 4 x 4 boxes of 16 px with a context of 8 px."""
    inputs = keras.Input((None, None, None, 1))
    model = keras.Model(inputs, {"logits": keras.layers.Conv3D(1, 1, dtype="float32", name="logits")(inputs)})
    loaded = LoadedModel(model, tiny_card(multiple_px=8, halo_px=8))
    ticks = iter([0.0, 2.0, 17.0, 20.0])  # checked in 2 s, traced and computed in 15 s, computed in 3 s
    facts = {"now": lambda: next(ticks), "options": PredictOptions(tile_px=32, **options)}
    return estimate_prediction([loaded], volume((64, 64, 64)), "m.mrc", **facts)


def test_nothing_is_written_and_time_is_that_of_all_slices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ticks = iter([0.0, 0.5, 10.5, 13.5])
    options = PredictOptions(roi=Region.parse("1:5,:,:"))
    found = estimate_prediction([pointwise()], volume(), "m.mrc", options, now=lambda: next(ticks))
    assert os.listdir() == []
    # All four slices of the region go into one batch, which took 3 s; 7 s more while it was traced.
    assert found.num_blocks == 4 and found.block_seconds == pytest.approx(0.75)
    assert found.seconds == pytest.approx(0.5 + 3 + 7)
    assert found.disk == 2 * 6 * 20 * 24 and not found.is_separated
    assert found.blocks == "slices, whole slices"


def test_the_largest_box_is_measured_and_smaller_ones_count_less(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = boxes()
    assert (found.num_blocks, found.blocks) == (64, "boxes of 32 x 32 x 32 px with their context")
    assert found.block_seconds == pytest.approx(3)
    # Along an axis the first and the last box reach 24 px, the two in between 32.
    assert found.seconds == pytest.approx(2 + 3 * (24 + 32 + 32 + 24) ** 3 / 32**3 + 12 * 2**3)
    inside = boxes(roi=Region.parse("16:48,16:48,16:48"))
    assert inside.num_blocks == 8 and inside.seconds == pytest.approx(2 + 3 * 8 + 12)


def test_memory_is_that_of_this_process():
    assert peak_bytes() >= resident_bytes() > 50 * 2**20
    held = np.ones(400 * 2**20, np.uint8)
    assert peak_bytes() >= held.nbytes
    child = "from segkit.process_memory import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert int(done.stdout) < held.nbytes


def test_tiles_and_probability(tmp_path):
    options = PredictOptions(probability=True, tile_px=16)
    found = estimate_prediction([pointwise()], volume(), tmp_path / "p.tif", options)
    assert found.blocks == "slices, 4 tiles of 16 x 16 px for each slice" and found.num_blocks == 6
    assert found.disk == 8 * 6 * 20 * 24


def test_voxels_that_are_no_numbers_are_found(tmp_path):
    damaged = volume()
    damaged.array[5, 3, 3] = np.nan
    with pytest.raises(InputError, match="slice 5"):
        estimate_prediction([pointwise()], damaged, tmp_path / "m.mrc")


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
    facts = {"num_blocks": 60, "blocks": "boxes", "block_seconds": 1.5, "seconds": 9000, "memory": 2**30, "disk": 2**29}
    assert str(Estimate(**facts, is_separated=True)) == (
        "about 2 h 30 min after the models are loaded (60 boxes, 1.5 s each), and then the separation of objects; "
        "memory 1.0 GiB, disk 512.0 MiB"
    )
