"""A network of volumes gives in boxes what it gives for the whole volume."""

import dataclasses

import keras
import numpy as np
import pytest
from tiny_models import sigmoid

from segkit.errors import InputError
from segkit.geometry.block_grid import BlockGrid
from segkit.geometry.region import Region
from segkit.inference.box_engine import begun_box_grid, box_grid
from segkit.inference.executors import Share
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.models.card import ModelCard
from segkit.models.unet import unet
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import GreyTriple
from segkit.preprocessing.standardize import Standardize
from segkit.volumes.files import open_volume
from segkit.volumes.volume import Volume

HALO = 12  # two levels: 2 voxels of the coarse level and 3 of the fine one on either side, and what is between


@pytest.fixture(scope="module")
def loaded():
    keras.utils.set_random_seed(2)
    model = unet((None, None, None, 1), filters=(3, 4))
    return LoadedModel(
        model,
        ModelCard(
            name="boxes", structure="blob", preprocessing=Standardize(mean=100.0, std=20.0), multiple_px=2, halo_px=HALO
        ),
    )


@pytest.fixture(scope="module")
def volume():
    voxels = np.random.default_rng(5).normal(100, 20, (31, 46, 37)).astype(np.float32)
    return Volume(array=voxels, voxel_size_nm=(2.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def whole(loaded, volume):
    padded = np.pad(volume.array, ((0, 1), (0, 0), (0, 1)), mode="edge")
    logits = loaded.model(((padded - 100.0) / 20.0)[None, ..., None].astype(np.float32), training=False)["logits"]
    return sigmoid(keras.ops.convert_to_numpy(logits))[0, :31, :46, :37, 0]


def probability(loaded, volume, folder, **options):
    done = predict_volume([loaded], volume, folder / "p.mrc", PredictOptions(probability=True, **options))
    return np.asarray(open_volume(done.path).array[:])


@pytest.mark.parametrize("tile_px", [None, 34, 38])
def test_boxes_give_what_the_whole_volume_gives(loaded, volume, whole, tile_px, tmp_path):
    if tile_px is not None:
        assert len(box_grid([loaded], volume, PredictOptions(tile_px=tile_px))) > 20
    np.testing.assert_allclose(probability(loaded, volume, tmp_path, tile_px=tile_px), whole, atol=1e-5)


def test_too_narrow_a_halo_is_seen(loaded, volume, whole, tmp_path):
    assert np.abs(probability(loaded, volume, tmp_path, tile_px=16, halo_px=0) - whole).max() > 1e-3


def test_outside_the_region_lies_background(loaded, volume, whole, tmp_path):
    found = probability(loaded, volume, tmp_path, tile_px=38, roi=Region((3, 9), (5, 40), (0, 30)))
    expected = np.zeros_like(whole)
    expected[3:9, 5:40, :30] = whole[3:9, 5:40, :30]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_voxels_outside_the_region_are_not_counted(loaded, volume, tmp_path):
    options = PredictOptions(tile_px=38, roi=Region((3, 9), (5, 40), (0, 30)), threshold=0.3)
    done = predict_volume([loaded], volume, tmp_path / "m.mrc", options)
    mask = np.asarray(open_volume(done.path).array[:])
    assert done.voxels == (("blob", int(mask.sum())),)
    assert mask.sum() > 0


def test_a_mask_and_its_voxels(loaded, volume, whole, tmp_path):
    done = predict_volume([loaded], volume, tmp_path / "m.mrc", PredictOptions(threshold=float(np.median(whole))))
    mask = np.asarray(open_volume(done.path).array[:])
    assert ((mask > 0) != (whole > np.median(whole))).mean() < 1e-3
    assert done.voxels == (("blob", int(mask.sum())),)


def test_a_run_is_resumed_block_by_block(loaded, volume, tmp_path):
    options = PredictOptions(tile_px=38)
    cut_off_after_three(loaded, volume, tmp_path / "m.mrc", options)
    assert predict_volume([loaded], volume, tmp_path / "m.mrc", options).resumed_blocks == 3


def test_a_bound_on_memory_makes_boxes_smaller_and_then_refuses(loaded, volume, monkeypatch):
    monkeypatch.setattr("segkit.inference.box_engine.tile_budget_px", lambda *_, smallest_px, **__: 34**3)
    assert box_grid([loaded], volume, PredictOptions(max_ram=2**40)).block_shape == (10, 10, 10)
    monkeypatch.undo()
    with pytest.raises(InputError, match="the smallest tile needs"):
        box_grid([loaded], volume, PredictOptions(max_ram=2**20))


def cut_off_after_three(loaded, volume, path, options=None):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_volume([loaded], volume, path, options, progress=stop)


def only_boxes_of(monkeypatch, side):
    """Let boxes of a side be the largest that the memory allows."""

    def budget(bound, *, smallest_px, **_):
        if smallest_px > side**3:
            raise InputError("the smallest tile needs more")
        return side**3

    monkeypatch.setattr("segkit.inference.box_engine.tile_budget_px", budget)


@pytest.mark.parametrize("side", [34, 38, 46])
def test_boxes_that_were_begun_are_kept_whatever_is_free_now(loaded, volume, whole, tmp_path, monkeypatch, side):
    """As for the second of several processes, which share what is free, and for a later run."""
    only_boxes_of(monkeypatch, 38)
    cut_off_after_three(loaded, volume, tmp_path / "m.mrc", PredictOptions(max_ram=2**40, probability=True))
    only_boxes_of(monkeypatch, side)
    ask = {"options": PredictOptions(probability=True), "share": Share(0, 2)}
    done = predict_volume([loaded], volume, tmp_path / "m.mrc", **ask)
    assert done.resumed_blocks == 3
    np.testing.assert_allclose(np.asarray(open_volume(done.path).array[:]), whole, atol=1e-5)


@pytest.mark.parametrize(("side", "resumed"), [(46, 3), (34, 0)])
def test_boxes_that_were_begun_are_kept_if_the_bound_that_is_given_holds_them(
    loaded, volume, tmp_path, monkeypatch, caplog, side, resumed
):
    only_boxes_of(monkeypatch, 38)
    cut_off_after_three(loaded, volume, tmp_path / "m.mrc", PredictOptions(max_ram=2**40))
    only_boxes_of(monkeypatch, side)
    done = predict_volume([loaded], volume, tmp_path / "m.mrc", PredictOptions(max_ram=2**39))
    assert done.resumed_blocks == resumed
    assert ("holds unfinished work with different blocks; starting over" in caplog.text) == (not resumed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rescale": True}, "leave out --rescale"),
        ({"windows": (1, 2)}, "leave out --windows"),
        ({"tile_px": 25}, "at least 26 px"),
    ],
)
def test_choices_that_do_not_fit_are_refused(loaded, volume, options, message):
    with pytest.raises(InputError, match=message):
        box_grid([loaded], volume, PredictOptions(**options))


def test_coloured_slices_are_no_volumes(loaded):
    model = unet((None, None, None, 3), filters=(3, 4))
    with pytest.raises(InputError, match="its preprocessing makes slices"):
        LoadedModel(model, ModelCard(name="m", structure="s", preprocessing=ColorSlices(coloring=GreyTriple())))


def test_another_voxel_size_is_warned_of(loaded, volume, tmp_path, caplog):
    card = dataclasses.replace(loaded.card, voxel_size_nm=(4.0, 2.0, 2.0))
    predict_volume([LoadedModel(loaded.model, card)], volume, tmp_path / "m.tif")
    assert "2 x 2 x 2 nm (z, y, x), but boxes was trained at 4 x 2 x 2 nm" in caplog.text


def test_processes_may_differ_a_little_in_what_they_hold(loaded, monkeypatch):
    bounds = []
    monkeypatch.setattr(
        "segkit.inference.box_engine._budget_px", lambda models, options, smallest_px: bounds.append(options.max_ram)
    )
    own = BlockGrid((64, 64, 64), (16, 16, 16), (HALO,) * 3)
    found = begun_box_grid(own, (32, 32, 32), [loaded], PredictOptions(max_ram=10**9))
    assert (found.block_shape, bounds) == ((32, 32, 32), [10**9 + 128 * 2**20])
    assert begun_box_grid(own, None, [loaded], PredictOptions(max_ram=10**9)) is own
