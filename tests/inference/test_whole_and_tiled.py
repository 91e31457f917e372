"""Tiles give what the whole slice gives."""

import itertools

import keras
import numpy as np
import pytest
from tiny_models import TINY_REACH_PX, sigmoid, tiny_card, tiny_seget

from segkit.geometry.region import Region
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.slice_predictor import SlicePredictor
from segkit.volumes.volume import Volume

SIZE_NM = (2.0, 2.0, 2.0)


@pytest.fixture(autouse=True)
def known_cost(monkeypatch):
    """The cost of the tiny network, as `live_bytes_per_px` finds it: tracing takes a second a test."""
    monkeypatch.setattr("segkit.inference.slice_predictor.live_bytes_per_px", lambda *_, **__: 48.0)


@pytest.fixture(scope="module")
def tiny():
    return LoadedModel(tiny_seget(), tiny_card(voxel_size_nm=SIZE_NM))


@pytest.fixture(scope="module")
def volume():
    voxels = np.random.default_rng(5).normal(100, 20, (3, 149, 102)).astype(np.float32)
    return Volume(array=voxels, voxel_size_nm=SIZE_NM)


@pytest.fixture(scope="module")
def whole(tiny, volume):
    """The other route: pad by hand, normalise by hand, run the network on the whole slice."""
    padded = np.pad(volume.array, ((0, 0), (0, 3), (0, 2)), mode="edge")
    logits = tiny.model(((padded - 100.0) / 20.0)[..., None].astype(np.float32), training=False)["logits"]
    return sigmoid(keras.ops.convert_to_numpy(logits))[:, :149, :102, 0]


def predict(loaded, volume, slices=None, **options):
    predictor = SlicePredictor(loaded, volume, PredictOptions(**options))
    slices = range(volume.shape[0]) if slices is None else slices
    found = list(predictor.iter_maps(slices))
    assert [z for z, _ in found] == list(slices)
    return predictor, np.stack([maps[..., 0] for _, maps in found])


def test_the_reach_of_the_tiny_network_is_what_its_card_says(tiny):
    voxels = np.random.default_rng(1).normal(size=(1, 128, 16, 1)).astype(np.float32)
    before = keras.ops.convert_to_numpy(tiny.model(voxels)["logits"])
    reach = 0
    for row in range(60, 68):  # a reach depends on the row's place on the strided grids
        changed = voxels.copy()
        changed[:, row] += 30
        rows = np.flatnonzero((keras.ops.convert_to_numpy(tiny.model(changed)["logits"]) != before).any((0, 2, 3)))
        reach = max(reach, row - rows[0], rows[-1] - row)
    assert reach == TINY_REACH_PX


def test_a_whole_slice_is_padded_normalised_and_cropped(tiny, volume, whole):
    predictor, found = predict(tiny, volume)
    assert len(predictor.plan) == 1
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert whole.std() > 0.1, "a flat probability would prove nothing"


@pytest.mark.parametrize("tile_px", [92, 120])
def test_tiles_with_the_full_halo_equal_the_whole_slice(tiny, volume, whole, tile_px):
    predictor, found = predict(tiny, volume, tile_px=tile_px)
    assert len(predictor.plan) >= 2
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_half_the_halo_is_not_enough(tiny, volume, whole):
    _, found = predict(tiny, volume, tile_px=92, halo_px=TINY_REACH_PX // 2)
    assert np.abs(found - whole).max() > 1e-3


def test_blended_tiles_show_no_seams(tiny, volume, whole):
    """Across the middle of an overlap the error steps no more than elsewhere; a hard cut steps there."""
    predictor, found = predict(tiny, volume, tile_px=92, halo_px=8)
    error = found - whole
    step = np.abs(np.diff(error, axis=1)).mean(axis=(0, 2))
    starts = [window.start for window in predictor.plan.windows[0]]
    middles = [(before + 92 + after) // 2 for before, after in itertools.pairwise(starts)]
    assert middles
    assert all((window.weights < 1).any() for window in predictor.plan.windows[0])
    for middle in middles:
        assert step[middle - 1] < 2 * np.median(step[middle - 8 : middle + 8])


def test_a_region_equals_the_same_part_of_the_whole(tiny, volume, whole):
    roi = Region((1, 2), (90, 130), (0, 31))
    predictor, found = predict(tiny, volume, slices=[1], roi=roi)
    assert predictor.plan.reach == ((44, 152), (0, 76))
    expected = np.zeros_like(whole[1:2])
    expected[:, 90:130, 0:31] = whole[1:2, 90:130, 0:31]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_memory_decides_between_the_whole_slice_and_tiles(tiny, volume, whole, monkeypatch):
    monkeypatch.setattr("segkit.inference.memory.held_bytes", lambda: 0)
    roomy, _ = predict(tiny, volume, slices=[0], max_ram=2**30)
    assert len(roomy.plan) == 1
    tight, found = predict(tiny, volume, max_ram=int(193.8 * 2**20))
    assert len(tight.plan) > 1
    np.testing.assert_allclose(found, whole, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (1, 4, 93)])
def test_slices_smaller_than_the_padding_are_predicted(tiny, shape):
    voxels = np.random.default_rng(2).integers(0, 255, shape).astype(np.uint8)
    _, found = predict(tiny, Volume(array=voxels, voxel_size_nm=SIZE_NM))
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_batches_span_slices_without_mixing_them(tiny, volume, whole):
    """Five tiles a batch do not divide the tiles of three slices; the last batch is partial."""
    predictor = SlicePredictor(tiny, volume, PredictOptions(tile_px=120))
    predictor.batch_size = 5
    assert (3 * len(predictor.plan)) % 5
    found = np.stack([maps[..., 0] for _, maps in predictor.iter_maps([2, 0, 1])])
    np.testing.assert_allclose(found, whole[[2, 0, 1]], atol=1e-5)


def test_bfloat16_is_close_and_not_the_same(tiny, volume, whole):
    _, found = predict(tiny, volume, slices=[0], precision="mixed_bfloat16")
    difference = np.abs(found - whole[:1])
    assert difference.max() > 1e-4
    assert difference.mean() < 0.02


def test_a_network_that_sees_its_whole_input_is_blended(tiny, volume):
    loaded = LoadedModel(tiny.model, tiny_card(voxel_size_nm=SIZE_NM, halo_px=None))
    _, found = predict(loaded, volume, slices=[0], tile_px=120, halo_px=20)
    predictor = SlicePredictor(loaded, volume, PredictOptions(tile_px=120, halo_px=20))
    assert any((window.weights % 1).any() for window in predictor.plan.windows[0])
    assert np.isfinite(found).all()
