"""Prediction with networks that look at coloured slices, whole or in windows."""

import dataclasses

import keras
import numpy as np
import pytest
from tiny_encoder import TINY_ENCODER

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.geometry.tiles import plan_windows
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import predict_volume
from segkit.inference.slice_predictor import SlicePredictor
from segkit.instances.instance_settings import InstanceSettings
from segkit.instances.segment_instances import segment_instances
from segkit.models import cells_and_centers, efficient_cell_seg
from segkit.models.card import ModelCard
from segkit.models.unet import unet
from segkit.preprocessing.color_slices import ColorSlices
from segkit.preprocessing.colorings import COLORINGS, WHITE, GreyTriple, in_16_bits
from segkit.preprocessing.grey_values import GreyValues
from segkit.preprocessing.pseudocolor import Pseudocoloring
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.cells import CellsTask
from segkit.tasks.centers import CentersTask
from segkit.tasks.foreground import ForegroundTask
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.volume import Volume

STACK = np.random.default_rng(0).integers(0, 255, (4, 37, 50)).astype(np.uint8)
PSEUDOCOLOR = COLORINGS.to_dict(Pseudocoloring(tiles=2, expected_share=0.4))


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return efficient_cell_seg(size=16, decoder_filters=(4, 3), encoder=TINY_ENCODER)


def loaded(network, *, coloring=PSEUDOCOLOR, windows=None, instances=None, threshold=0.5, **card):
    preprocessing = ColorSlices(coloring=coloring, windows=windows)
    task = ForegroundTask(threshold=threshold)
    if instances is not None:
        task = (CentersTask if instances.method == "centers" else CellsTask)(instances=instances)
    facts = {"name": "cells", "structure": "cells", "preprocessing": preprocessing, "task": task}
    return LoadedModel(network, ModelCard(**{**facts, **card}))


def probabilities(model, volume, options=None):
    predictor = SlicePredictor(model, volume, options)
    return np.stack([found[..., 0] for _, found in predictor.iter_maps(range(volume.shape[0]))])


def coloured(coloring):
    """The slices as they are coloured, in the 16 bits that networks are trained on."""
    images = COLORINGS.from_dict(coloring).color(STACK, range(len(STACK)))
    return [in_16_bits(image) / np.float32(WHITE) for image in images]


def by_hand(network, image):
    return np.asarray(keras.ops.sigmoid(network(image[None])["logits"]))[0, ..., 0]


@pytest.mark.parametrize("coloring", [PSEUDOCOLOR, {"kind": "grey"}, {"kind": "neighbours"}])
def test_every_slice_is_coloured_with_its_neighbours_and_predicted_whole(network, coloring):
    found = probabilities(loaded(network, coloring=coloring), Volume(array=STACK))
    images = coloured(coloring)
    np.testing.assert_allclose(found, [by_hand(network, image) for image in images], atol=1e-6)


def test_a_region_sees_the_colours_of_the_whole_stack(network):
    model, volume = loaded(network), Volume(array=STACK)
    region = PredictOptions(roi=Region.parse("1:3,5:30,10:50"))
    predictor = SlicePredictor(model, volume, region)
    for z, maps in predictor.iter_maps([1, 2]):
        found = maps[..., 0]
        assert found[5:30, 10:50].min() > 0
        assert not found[:5].any()
        assert not found[:, :10].any()
        assert z in (1, 2)


def test_a_bound_on_memory_takes_fewer_slices_at_a_time_and_then_none(network, monkeypatch):
    """One slice costs 2.2 times the 100 MiB that the network is said to hold, and the batch."""
    monkeypatch.setattr("segkit.inference.slice_predictor.live_bytes", lambda *_: 100 * 2**20)
    monkeypatch.setattr("segkit.inference.memory.held_bytes", lambda: 0)
    model, volume = loaded(network), Volume(array=STACK)

    def batch_size(mebibytes):
        return SlicePredictor(model, volume, PredictOptions(max_ram=mebibytes * 2**20)).batch_size

    fixed = 192 + 64  # the runtime, tables of the colours
    assert [batch_size(fixed + extra) for extra in (230, 450, 890, 8000)] == [1, 2, 4, 4]
    with pytest.raises(
        InputError, match=r"memory bound of 0\.39 GiB: .* needs 0\.47 GiB in all; allow more memory \(--max-ram\)$"
    ):
        batch_size(400)
    assert SlicePredictor(model, volume).batch_size == 4


def test_windows_are_predicted_one_by_one_and_fade_into_each_other(network):
    found = probabilities(loaded(network, coloring={"kind": "grey"}, windows=(2, 3)), Volume(array=STACK))
    image = coloured({"kind": "grey"})[2]
    # 19 x 19 px each: two along y that share a row, three along x
    corner = by_hand(network, image[:19, :19])
    np.testing.assert_allclose(found[2, :18, :14], corner[:18, :14], atol=1e-6)
    last = by_hand(network, image[18:, 31:])
    np.testing.assert_allclose(found[2, 19:, 36:], last[1:, 5:], atol=1e-6)


def test_windows_may_be_chosen_in_place_of_the_models(network):
    asked = PredictOptions(probability=True, windows=(2, 3))
    own = probabilities(loaded(network, coloring={"kind": "grey"}, windows=(2, 3)), Volume(array=STACK))
    chosen = probabilities(loaded(network, coloring={"kind": "grey"}), Volume(array=STACK), asked)
    np.testing.assert_array_equal(chosen, own)
    whole = PredictOptions(probability=True, windows=(1, 1))
    np.testing.assert_array_equal(
        probabilities(loaded(network, coloring={"kind": "grey"}, windows=(2, 3)), Volume(array=STACK), whole),
        probabilities(loaded(network, coloring={"kind": "grey"}), Volume(array=STACK)),
    )


def test_windows_are_refused_where_slices_are_not_resized_and_beside_tiles(network):
    volume, asked = Volume(array=STACK), PredictOptions(windows=(2, 3))
    facts = {"name": "cells", "structure": "cells", "multiple_px": 2, "halo_px": 8}
    plain = LoadedModel(unet(filters=(2, 4)), ModelCard(**facts, preprocessing=Standardize(mean=100.0, std=20.0)))
    with pytest.raises(InputError, match=r"cells: windows are for networks that resize .*; leave out --windows$"):
        SlicePredictor(plain, volume, asked)
    with pytest.raises(InputError, match=r"leave out --windows or --tile$"):
        SlicePredictor(loaded(network), volume, dataclasses.replace(asked, tile_px=32))


def test_six_windows_are_those_of_the_papers_tric_slices():
    plan = plan_windows((1745, 2440), (2, 3))
    assert plan.tile_shape == (873, 873)
    assert len(plan) == 6
    starts = [[window.start for window in axis] for axis in plan.windows]
    assert starts == [[0, 872], [0, 784, 1567]]


@pytest.mark.parametrize("shape", [(30, 31), (7, 100), (100, 7), (64, 64), (2, 3)])
@pytest.mark.parametrize("counts", [(1, 1), (2, 3), (4, 1)])
def test_the_shares_of_all_windows_sum_to_1_everywhere(shape, counts):
    plan = plan_windows(shape, counts)
    total = np.zeros(shape)
    for tile in plan:
        share = np.ones(tuple(window.kept[1] - window.kept[0] for window in tile))
        for axis, window in enumerate(tile):
            share *= np.expand_dims(window.weights, 1 - axis)
        total[tuple(slice(*window.kept) for window in tile)] += share
        assert all(window.start + window.length <= size for window, size in zip(tile, shape, strict=True))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_mask_is_written_for_a_coloured_model(network, tmp_path):
    save_volume(tmp_path / "stack.tif", Volume(array=STACK))
    model = loaded(network, threshold=float(np.median(probabilities(loaded(network), Volume(array=STACK)))))
    done = predict_volume([model], open_volume(tmp_path / "stack.tif"), tmp_path / "mask.tif")
    mask = open_volume(done.path).array[:]
    assert mask.shape == STACK.shape
    assert 0.3 < mask.mean() < 0.7


def test_a_model_that_tells_objects_apart_writes_their_ids(network, tmp_path):
    save_volume(tmp_path / "stack.tif", Volume(array=STACK))
    volume = open_volume(tmp_path / "stack.tif")
    found = probabilities(loaded(network), volume)
    threshold = float(np.quantile(found, 0.8))
    settings = InstanceSettings(method="components", threshold=threshold)
    model = loaded(network, instances=settings)
    done = predict_volume([model], volume, tmp_path / "labels.tif")
    labels = open_volume(done.path).array[:]
    np.testing.assert_array_equal(labels, segment_instances(found, settings))
    assert done.summary == f"{labels.max()} objects"
    assert labels.max() > 1
    assert done.legend is None
    probability = predict_volume([model], volume, tmp_path / "p.tif", PredictOptions(probability=True))
    np.testing.assert_allclose(open_volume(probability.path).array[:], found, atol=1e-6)
    with pytest.raises(InputError, match="a model that separates objects gives ids and is used alone"):
        predict_volume([model, model], volume, tmp_path / "two.tif")


def test_distances_between_objects_are_in_pixels_along_x_whatever_the_voxel_size(network, tmp_path):
    settings = InstanceSettings(seed_distance=4.0, threshold=0.4)
    maps = probabilities(loaded(network), Volume(array=STACK))
    expected = segment_instances(maps, settings, voxel_size=(3.0, 1.0, 1.0))
    for sizes in ((300.0, 100.0, 100.0), (30.0, 10.0, 10.0)):
        volume = Volume(array=STACK, voxel_size_nm=sizes)
        model = loaded(network, instances=settings, voxel_size_nm=sizes)
        predict_volume([model], volume, tmp_path / f"{sizes[2]:g}.tif")
        found = np.asarray(open_volume(tmp_path / f"{sizes[2]:g}.tif").array[:])
        np.testing.assert_array_equal(found, expected)
    assert expected.max() != segment_instances(maps, settings, voxel_size=sizes).max() > 1  # else nothing is shown


def test_objects_of_a_rescaled_volume_are_measured_in_voxels_of_the_training(network, tmp_path, monkeypatch):
    found = []

    def finish(self, read_slice, shape, *, voxel_size, voxel_volume, **_):
        found.append((voxel_size, voxel_volume))
        return np.zeros(shape, np.uint8)

    monkeypatch.setattr(CellsTask, "finish", finish)
    model = loaded(network, instances=InstanceSettings(), voxel_size_nm=(100.0, 100.0, 100.0))
    volume = Volume(array=STACK, voxel_size_nm=(25.0, 25.0, 25.0))
    for rescale in (True, False):
        predict_volume([model], volume, tmp_path / f"{rescale}.tif", PredictOptions(rescale=rescale))
    assert found == [((0.25,) * 3, pytest.approx(1 / 64)), ((1.0,) * 3, 1.0)]


@pytest.mark.parametrize(("dtype", "is_told"), [("uint8", False), ("uint16", True), (None, False)])
def test_a_stack_of_other_bits_than_those_trained_on_is_told(network, tmp_path, caplog, dtype, is_told):
    predict_volume([loaded(network, dtype=dtype)], Volume(array=STACK), tmp_path / "m.tif")
    assert ("CLAHE treats uint8 unlike" in caplog.text) == is_told
    caplog.clear()
    grey = loaded(network, dtype="uint16", coloring={"kind": "grey"})
    predict_volume([grey], Volume(array=STACK), tmp_path / "grey.tif")
    assert "CLAHE" not in caplog.text


def test_a_prediction_in_windows_goes_on_where_it_was_cut_off(network, tmp_path):
    model, volume = loaded(network, windows=(2, 2)), Volume(array=STACK)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_volume([model], volume, tmp_path / "m.tif", progress=stop)
    assert predict_volume([model], volume, tmp_path / "m.tif").resumed_blocks == 2


def test_a_neighbour_that_is_no_number_is_told(network):
    broken = STACK.astype(np.float32)
    broken[3, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinite voxels in slice 3"):
        probabilities(loaded(network), Volume(array=broken))


def test_a_single_slice_is_said_to_be_one(network, tmp_path, caplog):
    caplog.set_level("INFO")
    predict_volume([loaded(network)], Volume(array=STACK), tmp_path / "stack.tif")
    assert "a single slice" not in caplog.text
    predict_volume([loaded(network)], Volume(array=STACK[:1]), tmp_path / "slice.tif")
    assert "a single slice is treated as a stack of one slice" in caplog.text


def test_a_card_and_a_network_that_do_not_fit_are_refused(network):
    with pytest.raises(InputError, match="the model takes 3 channels, its card gives 1"):
        loaded(network, preprocessing=Standardize(mean=0.0, std=1.0))
    one = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    wrapped = keras.Model(one.inputs, {"logits": one.outputs[0]})
    with pytest.raises(InputError, match="the model takes 1 channels, its card gives 3"):
        loaded(wrapped)
    with pytest.raises(ValueError, match="`windows` must be two positive whole numbers"):
        loaded(network, windows=(2, 0))


@pytest.fixture(scope="module")
def with_centers():
    keras.utils.set_random_seed(1)
    return cells_and_centers(size=16, decoder_filters=(4, 3), encoder=TINY_ENCODER)


def test_objects_are_told_apart_by_the_centres_that_the_second_network_finds(with_centers, tmp_path):
    volume = Volume(array=STACK, voxel_size_nm=(20.0, 10.0, 10.0))
    images = np.stack(coloured(PSEUDOCOLOR))
    maps = {
        name: keras.ops.convert_to_numpy(keras.ops.sigmoid(logits))[..., 0]
        for name, logits in with_centers(images).items()
    }
    settings = InstanceSettings(
        method="centers",
        threshold=float(np.median(maps["logits"])),
        center_threshold=float(np.quantile(maps["centers"], 0.9)),
        seed_distance=2.0,
    )
    card = {"instances": settings}
    done = predict_volume([loaded(with_centers, **card)], volume, tmp_path / "labels.tif")
    expected = segment_instances(maps["logits"], settings, voxel_size=(2, 1, 1), heatmap=maps["centers"])
    found = np.asarray(open_volume(tmp_path / "labels.tif").array[:])
    assert done.summary == f"{expected.max()} objects"
    assert expected.max() > 1
    assert (found != expected).mean() < 0.001
    options = PredictOptions(probability=True)
    predict_volume([loaded(with_centers, **card)], volume, tmp_path / "p.tif", options)
    np.testing.assert_allclose(np.asarray(open_volume(tmp_path / "p.tif").array[:]), maps["logits"], atol=1e-5)


def test_a_network_that_lacks_an_output_of_its_task_is_refused(network):
    with pytest.raises(InputError, match="the model gives logits, expected centers"):
        loaded(network, instances=InstanceSettings(method="centers"))


def test_volume_after_volume_is_predicted_by_the_same_traced_network(network):
    model = loaded(network)
    assert model.probability_model() is model.probability_model()
    assert model.probability_model("mixed_bfloat16") is not model.probability_model()


@pytest.mark.parametrize(
    ("dtype", "ratio", "is_told"), [("uint8", 0.5, True), ("uint8", 0.9, False), ("uint16", 0.5, False)]
)
def test_equalised_bytes_keep_some_of_their_contrast(dtype, ratio, is_told):
    trained = GreyValues(dtype=dtype, mean=100.0, std=30.0, skewness=1.0)
    found = dataclasses.replace(trained, std=ratio * trained.std)
    told = ColorSlices(coloring=Pseudocoloring()).mismatch(found, trained)
    assert ("deviation" in told and "--match-grey-values" in told) if is_told else told is None
    assert ColorSlices(coloring=GreyTriple()).mismatch(found, trained) is None
