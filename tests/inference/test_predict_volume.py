import json
import logging
import shutil

import mrcfile
import numpy as np
import pytest
import tifffile
from tiny_models import pointwise, sigmoid, tiny_card, tiny_seget

from segkit.errors import InputError
from segkit.geometry.region import Region
from segkit.inference import prediction_output, slice_predictor
from segkit.inference.loaded_model import LoadedModel
from segkit.inference.predict_options import PredictOptions
from segkit.inference.predict_volume import _stored_bytes, predict_volume
from segkit.models.files import save_model
from segkit.preprocessing.standardize import Standardize
from segkit.tasks.centers import CentersTask
from segkit.tasks.foreground import ForegroundTask
from segkit.volumes.files import open_volume, save_volume
from segkit.volumes.shared_folder import SharedFolder
from segkit.volumes.volume import Volume

SIZE_NM = (4.0, 2.0, 2.0)


@pytest.fixture(autouse=True)
def known_cost(monkeypatch):
    monkeypatch.setattr(slice_predictor, "live_bytes_per_px", lambda *_, **__: 48.0)


@pytest.fixture
def tomogram(tmp_path):
    """An MRC file, voxels from -3 to 3, with a voxel size and an origin."""
    path = tmp_path / "T.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.random.default_rng(0).uniform(-3, 3, (6, 21, 18)).astype(np.float32))
        mrc.voxel_size = (20.0, 20.0, 40.0)  # (x, y, z) in angstrom
        mrc.header.origin = (100.0, 200.0, 300.0)
    return open_volume(path)


def model(weight=1.0, bias=0.0, **card):
    return pointwise(weight, bias, voxel_size_nm=SIZE_NM, **card)


class Interrupted(Exception):
    """Stands for whatever cuts a run off."""


def stop_after(slices):
    def progress(done, total):
        if done == slices:
            raise Interrupted

    return progress


def clear_half(folder):
    """Stands for a process that is killed while it removes the blocks."""
    if (folder.path / "outcome.json").exists():
        shutil.rmtree(folder.path / "blocks")
        raise Interrupted


def count_batches(monkeypatch):
    calls = []
    original = slice_predictor.batch_function

    def counting(*args, **kwargs):
        function = original(*args, **kwargs)

        def once(batch):
            calls.append(batch.shape)
            return function(batch)

        return once

    monkeypatch.setattr(slice_predictor, "batch_function", counting)
    monkeypatch.setattr(slice_predictor, "_BATCH_PX", 1)
    return calls


def test_a_mask_keeps_the_place_of_its_tomogram(tomogram, tmp_path):
    output = tmp_path / "mask.mrc"
    seen = []
    found = predict_volume([model()], tomogram, output, progress=lambda *at: seen.append(at))
    mask = open_volume(output)
    expected = np.asarray(tomogram.array[:]) > 0
    np.testing.assert_array_equal(np.asarray(mask.array[:]), expected)
    assert mask.dtype.itemsize == 1
    np.testing.assert_allclose(mask.voxel_size_nm, SIZE_NM, rtol=1e-6)
    np.testing.assert_allclose(mask.origin_nm, (30, 20, 10), rtol=1e-6)
    assert seen == [(done, 6) for done in range(7)]
    assert found.voxels == (("blob", int(expected.sum())),)
    assert (found.legend, found.overlap_voxels, found.resumed_blocks) == (None, 0, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.mrc", "mask.mrc"]


def test_a_probability_is_written_as_it_is(tomogram, tmp_path):
    output = tmp_path / "p.mrc"
    predict_volume([model(2.0, 0.5)], tomogram, output, PredictOptions(probability=True))
    expected = sigmoid(2 * np.asarray(tomogram.array[:]) + 0.5)
    np.testing.assert_allclose(np.asarray(open_volume(output).array[:]), expected, atol=1e-6)


def test_the_threshold_is_the_cards_unless_another_is_given(tomogram, tmp_path):
    voxels = np.asarray(tomogram.array[:])
    loaded = model(threshold=float(sigmoid(1.0)))
    predict_volume([loaded], tomogram, tmp_path / "own.mrc")
    predict_volume([loaded], tomogram, tmp_path / "given.mrc", PredictOptions(threshold=float(sigmoid(-1.0))))
    for name, cut in (("own.mrc", 1.0), ("given.mrc", -1.0)):
        clear = np.abs(voxels - cut) > 1e-5
        mask = np.asarray(open_volume(tmp_path / name).array[:])
        np.testing.assert_array_equal(mask[clear], (voxels > cut)[clear])


def test_several_models_give_labels_a_legend_and_a_count_of_claims(tomogram, tmp_path, caplog):
    """The first model takes what is above 0, more surely above 2 the second; the third what is below -2."""
    models = [
        model(1.0, structure="synapse"),
        model(3.0, -4.0, structure="golgi"),
        model(-1.0, -2.0, structure="actin"),
    ]
    with caplog.at_level(logging.INFO, logger="segkit"):
        found = predict_volume(models, tomogram, tmp_path / "labels.mrc")
    voxels = np.asarray(tomogram.array[:], np.float64)
    logits = [voxels, 3 * voxels - 4, -voxels - 2]
    expected = np.where(np.max(logits, axis=0) > 0, np.argmax(logits, axis=0) + 1, 0)
    labels = np.asarray(open_volume(found.path).array[:])
    clear = (np.abs(voxels - 2) > 1e-4) & (np.abs(voxels) > 1e-4) & (np.abs(voxels + 2) > 1e-4)
    np.testing.assert_array_equal(labels[clear], expected[clear])
    assert found.voxels == tuple((n, int((labels == i + 1).sum())) for i, n in enumerate(["synapse", "golgi", "actin"]))
    assert found.overlap_voxels == int(((voxels > 0) & (3 * voxels - 4 > 0)).sum())
    assert f"{found.overlap_voxels} voxels were claimed by more than one model and have" in caplog.text
    legend = json.loads(found.legend.read_text())
    assert [legend[i]["structure"] for i in "0123"] == ["background", "synapse", "golgi", "actin"]


def test_labels_of_one_structure_are_told_apart(tomogram, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="segkit"):
        found = predict_volume([model(), model(-1.0)], tomogram, tmp_path / "labels.tif")
    (_, one), (_, two) = found.voxels
    assert one > 0 and two > 0
    for number, count in ((1, one), (2, two)):
        assert f": blob (label {number}) has {count} voxels" in caplog.text
    assert str(found) == f"blob (label 1): {one} voxels, blob (label 2): {two} voxels"


def test_outside_the_region_is_background(tomogram, tmp_path):
    options = PredictOptions(roi=Region.parse("2:4,3:9,:7"))
    seen = []
    predict_volume([model()], tomogram, tmp_path / "m.mrc", options, progress=lambda *at: seen.append(at))
    expected = np.zeros(tomogram.shape, bool)
    expected[2:4, 3:9, :7] = np.asarray(tomogram.array[2:4, 3:9, :7]) > 0
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "m.mrc").array[:]), expected)
    assert seen == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("finished", [1, 5, 6])
def test_a_run_that_was_cut_off_goes_on_and_ends_the_same(tomogram, tmp_path, monkeypatch, caplog, finished):
    models = [model(), model(-1.0, 0.5, structure="golgi")]
    predict_volume(models, tomogram, tmp_path / "whole.mrc")
    calls = count_batches(monkeypatch)
    with pytest.raises(Interrupted):
        predict_volume(models, tomogram, tmp_path / "cut.mrc", progress=stop_after(finished))
    assert not (tmp_path / "cut.mrc").exists()
    before = len(calls)
    with caplog.at_level(logging.INFO, logger="segkit"):
        found = predict_volume(models, tomogram, tmp_path / "cut.mrc")
    assert len(calls) - before == 2 * (6 - finished)
    assert found.resumed_blocks == finished
    assert f"resuming: {finished} of 6 slices are finished" in caplog.text
    assert not (tmp_path / "cut.mrc.partial").exists()
    whole, cut = (np.asarray(open_volume(tmp_path / name).array[:]) for name in ("whole.mrc", "cut.mrc"))
    assert whole.tobytes() == cut.tobytes()
    assert (tmp_path / "whole.legend.json").read_bytes() == (tmp_path / "cut.legend.json").read_bytes()


@pytest.mark.parametrize("moment", ["made", "legend", "output", "blocks"])
def test_killed_while_it_publishes_the_result_is_finished_by_the_same_command(tomogram, tmp_path, monkeypatch, moment):
    models = [model(), model(-1.0, 0.5, structure="golgi")]
    whole = predict_volume(models, tomogram, tmp_path / "whole.mrc")

    def stop(original, *, after):
        def stopping(*args, **kwargs):
            if after:
                original(*args, **kwargs)
            raise Interrupted

        return stopping

    with monkeypatch.context() as patch:
        if moment == "blocks":
            patch.setattr(SharedFolder, "_clear", clear_half)
        else:
            name = "move_volume" if moment == "output" else "move_into_place"
            patch.setattr(prediction_output, name, stop(getattr(prediction_output, name), after=moment != "made"))
        with pytest.raises(Interrupted):
            predict_volume(models, tomogram, tmp_path / "cut.mrc")
    assert (tmp_path / "cut.mrc").exists() == (moment in ("output", "blocks"))
    calls = count_batches(monkeypatch)
    found = predict_volume(models, tomogram, tmp_path / "cut.mrc")
    assert calls == []
    assert (found.voxels, found.overlap_voxels, found.path) == (
        whole.voxels,
        whole.overlap_voxels,
        tmp_path / "cut.mrc",
    )
    assert (tmp_path / "cut.mrc").read_bytes()[1024:] == (tmp_path / "whole.mrc").read_bytes()[1024:]
    assert found.legend.read_bytes() == whole.legend.read_bytes()
    names = {"T.mrc", "cut.mrc", "cut.legend.json", "whole.mrc", "whole.legend.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("is_replaced", [False, True])
def test_an_output_that_is_gone_or_another_is_not_taken_for_the_published_one(
    tomogram, tmp_path, monkeypatch, is_replaced
):
    with monkeypatch.context() as patch:
        patch.setattr(SharedFolder, "_clear", clear_half)
        with pytest.raises(Interrupted):
            predict_volume([model()], tomogram, tmp_path / "m.mrc")
    (tmp_path / "m.mrc").unlink()
    if is_replaced:
        (tmp_path / "m.mrc").write_text("of somebody else")
        with pytest.raises(InputError, match="already exists"):
            predict_volume([model()], tomogram, tmp_path / "m.mrc")
        assert (tmp_path / "m.mrc").read_text() == "of somebody else"
    else:
        predict_volume([model()], tomogram, tmp_path / "m.mrc")
        np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "m.mrc").array[:]), tomogram.array[:] > 0)


def test_ctrl_c_is_let_through_and_keeps_what_is_finished(tomogram, tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_volume([model()], tomogram, tmp_path / "m.mrc", progress=interrupt)
    assert predict_volume([model()], tomogram, tmp_path / "m.mrc").resumed_blocks == 3


@pytest.mark.parametrize("change", ["model", "input", "options"])
def test_what_another_model_input_or_choice_has_finished_is_not_used(tomogram, tmp_path, caplog, change):
    with pytest.raises(Interrupted):
        predict_volume([model()], tomogram, tmp_path / "m.mrc", progress=stop_after(3))
    loaded, options, volume = model(), PredictOptions(), tomogram
    if change == "model":
        loaded = model(weight=-1.0)
    elif change == "options":
        options = PredictOptions(threshold=0.9)
    else:
        with mrcfile.open(tomogram.source, "r+") as mrc:
            mrc.data[5, 0, 0] += 1
        volume = open_volume(tomogram.source)
    found = predict_volume([loaded], volume, tmp_path / "m.mrc", options)
    assert found.resumed_blocks == 0
    assert f"different {change}" in caplog.text
    fresh = predict_volume([loaded], volume, tmp_path / "fresh.mrc", options)
    masks = [np.asarray(open_volume(result.path).array[:]) for result in (found, fresh)]
    np.testing.assert_array_equal(*masks)


def test_a_model_file_opened_anew_is_the_same_model(tomogram, tmp_path):
    for path in ("a.keras", "b.keras"):
        save_model(tiny_seget(), tmp_path / path, tiny_card(voxel_size_nm=SIZE_NM))
    with pytest.raises(Interrupted):
        first = LoadedModel.open(tmp_path / "a.keras")
        predict_volume([first], tomogram, tmp_path / "m.mrc", progress=stop_after(3))
    again = LoadedModel.open(tmp_path / "b.keras")
    assert predict_volume([again], tomogram, tmp_path / "m.mrc").resumed_blocks == 3


def test_less_memory_does_not_start_anew(tomogram, tmp_path):
    with pytest.raises(Interrupted):
        predict_volume([model()], tomogram, tmp_path / "m.mrc", progress=stop_after(3))
    found = predict_volume([model()], tomogram, tmp_path / "m.mrc", PredictOptions(max_ram=64 * 2**30))
    assert found.resumed_blocks == 3


def test_flipped_rows_of_one_file_are_another_input(tomogram, tmp_path):
    with pytest.raises(Interrupted):
        predict_volume([model()], tomogram, tmp_path / "m.mrc", progress=stop_after(3))
    flipped = open_volume(tomogram.source, flip_y=True)
    assert predict_volume([model()], flipped, tmp_path / "m.mrc").resumed_blocks == 0


def test_a_fault_in_the_input_shows_before_the_work_and_leaves_nothing(tomogram, tmp_path, monkeypatch):
    calls = count_batches(monkeypatch)
    with mrcfile.open(tomogram.source, "r+") as mrc:
        mrc.data[5, 7, 7] = np.nan
    with pytest.raises(InputError, match="NaN or infinite voxels in slice 5"):
        predict_volume([model()], open_volume(tomogram.source), tmp_path / "m.mrc")
    assert calls == []
    assert [path.name for path in tmp_path.iterdir()] == ["T.mrc"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("m.mrc", {"roi": Region.parse("0:7,:,:")}, "reaches beyond the volume of 6 x 21 x 18"),
        ("m.mrc", {"tile_px": 4, "halo_px": 1}, "tile of 4 px: expected more than twice the halo of 1 px"),
        ("m.mrc", {"max_ram": 1000}, "memory bound of 0.00 GiB: the smallest tile needs"),
        ("m.xyz", {}, r"m\.xyz: found the suffix \.xyz, expected"),
        ("none/m.mrc", {}, "there is no folder"),
        ("T.mrc", {}, "T.mrc: is the input; choose another output"),
        ("m.png", {}, "png"),
    ],
)
def test_choices_that_can_not_work_leave_nothing(tomogram, tmp_path, name, options, message):
    with pytest.raises(InputError, match=message) as fault:
        predict_volume([model()], tomogram, tmp_path / name, PredictOptions(**options), overwrite=True)
    assert "\n" not in str(fault.value)
    assert [path.name for path in tmp_path.iterdir()] == ["T.mrc"]


@pytest.mark.parametrize("name", ["0.png", "new.mrc", "new/m.mrc", "../slices/0.png"])
def test_an_output_among_the_slices_of_the_input_is_refused(tmp_path, name):
    save_volume(tmp_path / "slices", Volume(array=np.full((1, 21, 18), 7, np.uint8)))
    (tmp_path / "slices" / "new").mkdir()
    with pytest.raises(InputError, match="is inside the input, a folder of slices"):
        predict_volume([model()], open_volume(tmp_path / "slices"), tmp_path / "slices" / name, overwrite=True)
    assert open_volume(tmp_path / "slices").array[0, 0, 0] == 7
    (tmp_path / "slices" / "new").rmdir()
    predict_volume([model()], open_volume(tmp_path / "slices"), tmp_path / "m.mrc")


def test_masks_are_visible_in_programs_that_draw_what_is_stored(tomogram, tmp_path):
    predict_volume([model()], tomogram, tmp_path / "m.tif")
    with tifffile.TiffFile(tmp_path / "m.tif") as tif:
        assert (tif.imagej_metadata["min"], tif.imagej_metadata["max"]) == (0.0, 1.0)
    expected = np.asarray(open_volume(tmp_path / "m.tif").array[:])
    assert set(np.unique(expected)) == {0, 1}
    predict_volume([model()], tomogram, tmp_path / "slices")
    found = np.asarray(open_volume(tmp_path / "slices").array[:])
    assert set(np.unique(found)) == {0, 255} and ((found > 0) == (expected > 0)).all()


def test_files_that_vanish_while_they_are_counted_are_no_fault(tmp_path, monkeypatch):
    (tmp_path / "blocks").mkdir()
    for name in ("a", "blocks/b"):
        (tmp_path / name).write_bytes(bytes(10))
    assert _stored_bytes(tmp_path) == 20 and _stored_bytes(tmp_path / "none") == 0
    monkeypatch.setattr("segkit.inference.predict_volume.os.walk", lambda _: [(tmp_path, [], ["a", "gone"])])
    assert _stored_bytes(tmp_path) == 10


def test_a_resumed_run_needs_less_room_by_what_is_stored(tomogram, tmp_path, monkeypatch):
    needed, check = [], prediction_output.check_output

    def noted(path, *, expected_bytes, **how):
        needed.append(expected_bytes)
        check(path, expected_bytes=expected_bytes, **how)

    monkeypatch.setattr(prediction_output, "check_output", noted)
    shared = ([model()], tomogram, tmp_path / "p.mrc", PredictOptions(probability=True))
    with pytest.raises(Interrupted):
        predict_volume(*shared, progress=stop_after(3))
    stored = sum(path.stat().st_size for path in (tmp_path / "p.mrc.partial").rglob("*") if path.is_file())
    assert stored >= 3 * 21 * 18 * 4
    assert needed[0] == 2 * 6 * 21 * 18 * 4  # the finished blocks, and the output
    needed.clear()
    assert predict_volume(*shared).resumed_blocks == 3
    assert needed[0] == 2 * 6 * 21 * 18 * 4 - stored


def test_an_output_is_not_replaced_unasked(tomogram, tmp_path):
    (tmp_path / "m.mrc").write_text("kept")
    with pytest.raises(InputError, match="already exists"):
        predict_volume([model()], tomogram, tmp_path / "m.mrc")
    assert (tmp_path / "m.mrc").read_text() == "kept"
    predict_volume([model()], tomogram, tmp_path / "m.mrc", overwrite=True)
    assert open_volume(tmp_path / "m.mrc").shape == tomogram.shape


def test_a_slice_is_decided_on_once(tomogram, tmp_path, monkeypatch):
    calls = []
    decide = ForegroundTask.decide
    monkeypatch.setattr(ForegroundTask, "decide", lambda self, maps: calls.append(1) or decide(self, maps))
    predict_volume([model()], tomogram, tmp_path / "m.mrc")
    assert len(calls) == 6


def test_room_is_needed_for_every_channel_that_is_kept_and_for_the_result(tomogram, tmp_path, monkeypatch):
    import keras  # two outputs are given by a network that is built here only

    inputs = keras.Input((None, None, 1))
    outputs = {name: keras.layers.Conv2D(1, 1, name=name)(inputs) for name in ("logits", "centers")}
    loaded = LoadedModel(keras.Model(inputs, outputs), tiny_card(task=CentersTask(), halo_px=0))
    asked = []
    monkeypatch.setattr(prediction_output, "check_output", lambda _, expected_bytes, **__: asked.append(expected_bytes))
    predict_volume([loaded], tomogram, tmp_path / "m.mrc")
    assert max(asked) == tomogram.array.size * (2 * 4 + 1)


def test_other_grey_values_are_told(tomogram, tmp_path, caplog):
    predict_volume([model(preprocessing=Standardize(mean=0.0, std=1.7))], tomogram, tmp_path / "fits.mrc")
    assert "grey values" not in caplog.text
    predict_volume([model(preprocessing=Standardize(mean=60.0, std=20.0))], tomogram, tmp_path / "far.mrc")
    assert "was trained on voxels of mean 60 and deviation 20" in caplog.text
    caplog.clear()
    unsigned = Volume(array=np.tile(np.arange(100, 156, 7, dtype=np.uint8), (2, 8, 1)), voxel_size_nm=SIZE_NM)
    predict_volume(
        [model(preprocessing=Standardize(mean=0.0, std=16.0), dtype="int8")], unsigned, tmp_path / "bytes.mrc"
    )
    assert "uint8 bytes were shifted by 128 to match" in caplog.text


def test_an_empty_result_is_told(tomogram, tmp_path, caplog):
    predict_volume([model(1.0, -99.0)], tomogram, tmp_path / "m.mrc")
    assert "no voxel of blob was found" in caplog.text


def test_models_that_do_not_fit_are_refused(tomogram, tmp_path):
    import keras  # a network of three channels is built here only

    inputs = keras.Input((None, None, 3))
    coloured = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(inputs)})
    with pytest.raises(InputError, match="pointwise: the model takes 3 channels, its card gives 1"):
        LoadedModel(coloured, model().card)
    inputs = keras.Input((64, 64, 1))
    fixed = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(inputs)})
    with pytest.raises(InputError, match="takes only inputs of 64 x 64 pixels, expected any size"):
        LoadedModel(fixed, model().card)
    inputs = keras.Input((None, None, 1))
    with pytest.raises(InputError, match=r"the model gives .*, expected logits"):
        LoadedModel(keras.Model(inputs, keras.layers.Conv2D(1, 1, name="other")(inputs)), model().card)
    with pytest.raises(InputError, match="0 models: expected 1 to 255"):
        predict_volume([], tomogram, tmp_path / "m.mrc")
    with pytest.raises(InputError, match="2 models: a probability is written for one model"):
        predict_volume([model()] * 2, tomogram, tmp_path / "m.mrc", PredictOptions(probability=True))


def test_a_volume_in_memory_is_predicted_too(tmp_path):
    voxels = np.array([[[-1.0, 2.0, 3.0]], [[4.0, -5.0, -6.0]]])
    volume = Volume(array=voxels, voxel_size_nm=SIZE_NM)
    predict_volume([model()], volume, tmp_path / "m.tif")
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "m.tif").array[:]), voxels > 0)


def test_a_channel_axis_is_refused_in_one_line(tmp_path):
    stack = Volume(array=np.zeros((2, 3, 32, 32), np.uint8), axes="czyx")
    with pytest.raises(InputError, match=r"axes \(c, z, y, x\), expected \(z, y, x\); give one index along c"):
        predict_volume([], stack, tmp_path / "out.tif")


def test_the_slices_that_a_format_cannot_hold_are_counted(tmp_path):
    volume = Volume(array=np.zeros((7, 8, 8), np.float32))
    with pytest.raises(InputError, match=r"m\.png: found 7 slices"):
        predict_volume([pointwise()], volume, tmp_path / "m.png")


def test_of_the_data_of_a_training_nothing_is_told(tmp_path, caplog):
    volume = Volume(array=np.zeros((2, 8, 8), np.float32))
    for is_known in (True, False):
        caplog.clear()
        predict_volume([pointwise()], volume, tmp_path / f"{is_known}.tif", is_known=is_known)
        assert ("the voxel size is unknown" in caplog.text) is not is_known
