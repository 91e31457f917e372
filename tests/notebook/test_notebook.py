"""Arrays in, arrays out."""

import dataclasses
import importlib
import inspect
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.filters import gaussian
from tiny_encoder import TINY_ENCODER

import segkit
from segkit.data.splits import Split
from segkit.errors import InputError
from segkit.evaluation.evaluation_like import EvaluationLike
from segkit.experiments.lock import only_process_in
from segkit.geometry.region import Region
from segkit.inference.predict_options import PredictOptions
from segkit.tasks import ClassesTask
from segkit.training.plan import TrainingPlan
from segkit.volumes.volume import Volume

SIZE_NM = (4.0, 2.0, 2.0)


def blobs(seed=0, shape=(6, 48, 40)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    mask = np.stack([np.hypot(y - rng.integers(10, 38), x - rng.integers(10, 30)) < 9 for _ in range(shape[0])])
    return (100 * mask + rng.normal(60, 15, shape)).astype(np.float32), mask.astype(np.uint8)


def two_layers():
    inputs = keras.Input((None, None, 1), name="voxels")
    x = keras.layers.Conv2D(6, 5, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 3, padding="same", name="logits")(x)})


def two_networks():
    return segkit.models.cells_and_centers(size=16, decoder_filters=(4, 2), encoder=TINY_ENCODER)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    image, mask = blobs()
    plan = TrainingPlan(patch_px=32, stride_px=16, batch_size=4, epochs=25, learning_rate=2e-2, precision="float32")
    out = tmp_path_factory.mktemp("notebook")
    return segkit.train(image, mask, out, network=two_layers, plan=plan, halo_px=3), out


def test_a_network_is_trained_on_arrays_and_predicts_others(trained):
    model, out = trained
    assert (out / "log.csv").exists()
    image, mask = blobs(seed=5)
    found = segkit.predict(model, image)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert segkit.evaluate(found, mask).to_dict()["total"]["foreground_iou"] > 0.8
    np.testing.assert_array_equal(segkit.predict(out, image), found)


def test_an_earlier_training_is_kept_until_it_is_to_be_replaced(tmp_path):
    image, mask = blobs()
    plan = TrainingPlan(patch_px=32, stride_px=32, batch_size=4, epochs=1, precision="float32")
    ask = {"network": two_layers, "plan": plan}
    segkit.train(image, mask, tmp_path, **ask)
    (tmp_path / "scores.json").write_text("of the earlier run")
    (tmp_path / "plan.json").write_text("of the earlier run")
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"already holds a run; .*in Python resume=True, overwrite=True"):
        segkit.train(image, mask, tmp_path, **ask)
    with pytest.raises(InputError, match="expected 0 and one other value"):
        segkit.train(image, image, tmp_path, **ask, overwrite=True)
    with pytest.raises(ValueError, match=r"must give .logits. of 1 channel"):
        segkit.train(image, mask, tmp_path, network=two_networks, plan=plan, overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept
    longer = dataclasses.replace(plan, epochs=2)
    segkit.train(image, mask, tmp_path, network=two_layers, plan=longer, resume=True)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    with only_process_in(tmp_path):
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(InputError, match="another process is training in this folder"):
                segkit.train(image, mask, tmp_path, **ask, **how)
    segkit.train(image, mask, tmp_path, **ask, overwrite=True)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    assert not {"scores.json", "plan.json"} & {path.name for path in tmp_path.iterdir()}


def test_a_network_that_no_file_gives_back_is_refused_before_anything_is_removed(tmp_path):
    def doubled():
        inputs = keras.Input((None, None, 1))
        x = keras.layers.Lambda(lambda x: 2 * x, name="twice")(inputs)
        return keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1, name="logits")(x)})

    image, mask = blobs()
    (tmp_path / "model.keras").write_text("of the earlier run")
    with pytest.raises(InputError, match="layer 'twice' of the class Lambda could not be opened again"):
        segkit.train(image, mask, tmp_path, network=doubled, overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.glob("[!.]*")} == {"model.keras": "of the earlier run"}


@pytest.mark.parametrize("name", ["a/b", "", 5])
def test_a_name_that_cannot_be_served_is_refused_before_anything_is_read(name, tmp_path):
    with pytest.raises(ValueError, match="`name` must be text that can be the name of a folder"):
        segkit.train("none.mrc", "none.mrc", tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_a_training_holds_its_folder(tmp_path):
    image, mask = blobs()

    class TryTheFolder(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            with pytest.raises(InputError, match="another process is training"), only_process_in(tmp_path):
                pass
            raise InterruptedError

    with pytest.raises(InterruptedError):
        segkit.train(image, mask, tmp_path, network=two_layers, callbacks=[TryTheFolder()])


def small_volume_net():
    return segkit.models.unet(input_shape=(None, None, None, 1), filters=(2, 4))


def test_a_network_of_volumes_is_trained_on_blocks_of_slices(tmp_path):
    image, mask = blobs(shape=(12, 32, 32))
    plan = TrainingPlan(
        patch_px=16, patch_slices=4, stride_px=16, validation_stride_px=16, batch_size=4, epochs=1, precision="float32"
    )
    segkit.train(image, mask, tmp_path, network=small_volume_net, plan=plan, multiple_px=2)
    assert (tmp_path / "model.keras").exists()
    slices = [Split(train=tuple(range(9)), validation=(9, 10, 11))]
    message = "no run of 4 consecutive .*slices to validate with; .*in Python `splits`"
    with pytest.raises(InputError, match=message):
        segkit.train(image, mask, tmp_path / "short", network=small_volume_net, plan=plan, splits=slices)


def test_a_volume_with_channels_is_one_line():
    stack = np.zeros((3, 2, 16, 16), np.uint8)
    stack[..., 4:8] = 1
    channels, plain = Volume(array=stack, axes="czyx"), Volume(array=stack[0])
    line = r"found the axes \(c, z, y, x\), expected \(z, y, x\); give one index along c"
    for pair in ((channels, plain), (plain, channels), (channels, channels)):
        with pytest.raises(InputError, match=line):
            segkit.train(*pair, "nowhere")
        for task in ("foreground", "classes", "cells"):
            with pytest.raises(InputError, match=line):
                segkit.evaluate(*pair, task=task)


def test_what_comes_back_is_of_the_kind_that_was_given(trained, tmp_path):
    model, _ = trained
    image, _ = blobs(seed=5)
    found = segkit.predict(model, image)
    one = segkit.predict(model, image[2])
    assert one.shape == image[2].shape
    np.testing.assert_array_equal(one, found[2])
    volume = Volume(array=image, voxel_size_nm=SIZE_NM)
    as_volume = segkit.predict(model, volume)
    assert as_volume.voxel_size_nm == SIZE_NM
    np.testing.assert_array_equal(as_volume.array, found)
    segkit.save_volume(tmp_path / "in.mrc", volume)
    written = segkit.predict(model, tmp_path / "in.mrc", output=tmp_path / "out.mrc", probability=True)
    assert written.source == tmp_path / "out.mrc"
    np.testing.assert_array_equal(np.asarray(written.array[:]) > 0.5, found > 0)
    with pytest.raises(InputError, match="exists"):
        segkit.predict(model, tmp_path / "in.mrc", output=tmp_path / "out.mrc")


def test_what_numpy_makes_an_array_of_comes_back_as_one(trained):
    model, _ = trained
    image, _ = blobs(seed=5)
    found = segkit.predict(model, image)
    for given in (image.tolist(), keras.ops.convert_to_tensor(image), image.astype(">f4")):
        again = segkit.predict(model, given)
        assert isinstance(again, np.ndarray)
        np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(segkit.predict(model, image[1].tolist()), found[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda image: image > 60, InputError, "found true and false .*; give the image, not a mask"),
        (lambda image: image.astype(complex), InputError, "found complex numbers"),
        (lambda image: image[:0], InputError, "found no voxels"),
        (lambda image: image.astype(object), InputError, r"found voxels \(object\), expected grey values"),
        (lambda image: np.ma.masked_greater(image, 90), ValueError, r"`volume.filled\(value\)`"),
    ],
)
def test_what_holds_no_grey_values_is_neither_predicted_nor_trained_on(trained, change, error, message, tmp_path):
    image, mask = blobs(seed=5)
    with pytest.raises(error, match=message):
        segkit.predict(trained[0], change(image))
    wrong = change(image)
    with pytest.raises(error, match=message):
        segkit.train(wrong, mask[: len(wrong)], tmp_path, network=two_layers, plan=TrainingPlan(patch_px=32))


def test_a_model_without_its_card_is_refused(trained):
    image, _ = blobs()
    for model in (trained[0].model, [trained[0], trained[0].model]):
        with pytest.raises(ValueError, match=r"`model` must have a card.*LoadedModel\(model, card\)"):
            segkit.predict(model, image)
    with pytest.raises(ValueError, match=r"`model` must be a run folder.*model=3"):
        segkit.predict(3, image)


def test_a_copy_in_another_precision_follows_the_weights():
    card = segkit.ModelCard(name="a", structure="a", halo_px=3)
    model, (image, _) = segkit.LoadedModel(two_layers(), card), blobs()
    ask = {"probability": True, "precision": "mixed_bfloat16"}
    assert segkit.predict(model, image, **ask).std() > 0.01
    kept = model.probability_model("mixed_bfloat16")
    assert model.probability_model("mixed_bfloat16") is kept
    model.model.set_weights([0 * weight for weight in model.model.get_weights()])
    np.testing.assert_array_equal(segkit.predict(model, image, **ask), np.float32(0.5))
    np.testing.assert_array_equal(segkit.predict(model, image, probability=True), np.float32(0.5))


def test_the_options_of_a_prediction_are_named_and_typed():
    asked = inspect.signature(segkit.predict).parameters
    assert not [name for name, one in asked.items() if one.kind is inspect.Parameter.VAR_KEYWORD]
    for option in dataclasses.fields(PredictOptions):
        # Text as the command takes it is read, too.
        assert asked[option.name].annotation.replace(" | str", "") == option.type
        assert asked[option.name].default == option.default


def test_every_option_reaches_the_prediction(trained):
    """Each of these values is refused where it is read."""
    image, _ = blobs()
    for wrong, message in (
        ({"threshold": 2}, "threshold 2"),
        ({"roi": Region(z=(9, 12))}, "z"),
        ({"max_ram": -1}, "memory bound of -1"),
        ({"halo_px": -1}, "halo of -1"),
        ({"tile_px": 0}, "tile of 0 px"),
        ({"rescale": True}, "leave out --rescale"),
        ({"precision": "half"}, "precision 'half'"),
    ):
        with pytest.raises(InputError, match=message):
            segkit.predict(trained[0], image, **wrong)
    assert segkit.predict(trained[0], image, probability=True, tta=True).dtype == np.float32


def test_scores_by_the_kind_of_result():
    for task in ("foreground", "cells", "classes"):
        assert isinstance(segkit.evaluate(np.eye(6, dtype=int), np.eye(6, dtype=int), task=task), EvaluationLike)
    labels = np.zeros((2, 6, 6), int)
    labels[:, :2], labels[:, 3:] = 1, 2
    assert segkit.evaluate(labels, labels, task="classes").to_dict()["total"]["iou"] == {"0": 1, "1": 1, "2": 1}
    names = ClassesTask(class_names=("gel", "a", "b"))
    assert segkit.evaluate(labels, labels, task=names, slices=[1]).to_dict()["total"]["iou"]["gel"] == 1
    assert segkit.evaluate(labels, labels, task="cells").to_dict()["total"]["seg"] == 1
    assert segkit.evaluate(labels, labels, task="centers").to_dict()["total"]["seg"] == 1
    with pytest.raises(ValueError, match="unknown task 'objects'; choose one of foreground, classes, cells"):
        segkit.evaluate(labels, labels, task="objects")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))), r"axes \(z, y, x\) or \(y, x\)"),
        (([np.zeros((5, 9, 9))], []), "must have equal lengths"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        segkit.train(*arguments, tmp_path)


def test_slices_are_for_what_the_splits_say(tmp_path):
    image, mask = blobs()
    mask[3:] = 7  # three values: no mask, and seen although only other slices are used
    with pytest.raises(InputError, match="expected 0 and one other value"):
        segkit.train(image, mask, tmp_path, splits=[Split(train=(0, 1), validation=(2,))])


def test_text_is_read_as_the_command_reads_it(trained):
    model, _ = trained
    image, _ = blobs(seed=5)
    part = segkit.predict(model, image, roi="0:3,:,8:", max_ram="4G")
    expected = segkit.predict(model, image, roi=Region((0, 3), (0, None), (8, None)))
    np.testing.assert_array_equal(part, expected)
    assert part.any()
    assert not part[3:].any()
    with pytest.raises(InputError, match="size 'much' cannot be read"):
        segkit.predict(model, image, max_ram="much")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda image, mask: segkit.predict("m.keras", image, roi=(0, 2)), ValueError, r"`roi` must be text such as"),
        (lambda image, mask: segkit.evaluate(mask, mask, slices="0,5"), ValueError, "`slices` must be indices"),
        (lambda image, mask: segkit.evaluate(mask, mask, slices=0), ValueError, "`slices` must be indices"),
        (
            lambda image, mask: segkit.evaluate(mask, mask, slices=[0, 9]),
            InputError,
            r"slices \[9\]: .* 0 to 5",
        ),
        (lambda image, mask: segkit.evaluate(mask, mask, slices=[0, 0]), InputError, r"slices \[0\]: named more"),
        (lambda image, mask: segkit.evaluate(mask, mask, slices=[True, False]), ValueError, "`slices` must be indices"),
        (lambda image, mask: segkit.evaluate(mask, mask, slices=[]), InputError, "none is chosen"),
        (
            lambda image, mask: segkit.evaluate(mask, mask, ignore_value=1.5),
            ValueError,
            "`ignore_value` must be a whole",
        ),
        (
            lambda image, mask: segkit.train(image, mask, "t", task="cells"),
            ValueError,
            "`task` must be of the type Task",
        ),
        (lambda image, mask: segkit.train(image, mask, "t", plan={}), ValueError, "of the type TrainingPlan"),
        (lambda image, mask: segkit.train(image, mask, "t", splits=[([0], [1])]), ValueError, "of the type Split"),
        (lambda image, mask: segkit.train(image, mask, "t", network=two_layers()), ValueError, "must be a function"),
    ],
)
def test_arguments_of_other_types_are_refused_with_their_names(call, error, message):
    with pytest.raises(error, match=message):
        call(*blobs())


def test_an_array_is_saved_as_it_is(tmp_path):
    _, mask = blobs()
    segkit.save_volume(tmp_path / "m.mrc", mask)
    np.testing.assert_array_equal(segkit.open_volume(tmp_path / "m.mrc").array[:], mask)


def test_cells_are_scored_where_they_are_annotated():
    truth = np.zeros((2, 8, 12), int)
    truth[:, 1:4, 1:4], truth[:, :, 6:] = 3, -1
    found = np.zeros((2, 8, 12), int)
    found[:, 1:4, 1:4], found[:, 2:6, 8:11] = 1, 2
    total = segkit.evaluate(found, truth, task="cells", ignore_value=-1).to_dict()["total"]
    assert (total["seg"], total["ap_50"], total["found"], total["pixel_accuracy"]) == (1, 1, 1, 1)
    with pytest.raises(InputError, match="found the id -1"):
        segkit.evaluate(found, truth, task="cells")


def head(x, **settings):
    return {"logits": keras.layers.Conv2D(1, 1, **settings)(x)}


def network_of(make, shape=(None, None, 1)):
    def build():
        inputs = keras.Input(shape)
        return keras.Model(inputs, make(inputs))

    return build


def with_skip(pool, steps=1):
    """A network whose skip connection fits only where the sides are multiples: Keras does not know beforehand."""

    def make(x):
        deep = x
        for _ in range(steps):
            deep = keras.layers.MaxPooling2D(pool)(deep)
        for _ in range(steps):
            deep = keras.layers.UpSampling2D(pool)(deep)
        return head(keras.layers.Concatenate()([x, deep]))

    return network_of(make)


def conv(x, **settings):
    return head(keras.layers.Conv2D(4, 3, activation="relu", **settings)(x))


@pytest.mark.parametrize(
    ("network", "multiple_px", "message"),
    [
        (lambda: segkit.models.unet(filters=(4, 8)), 1, "give multiple_px=2. Received: multiple_px=1"),
        (lambda: segkit.models.unet(filters=(4, 8, 8, 8)), 2, "give multiple_px=8. Received: multiple_px=2"),
        (with_skip(2, steps=2), 2, "give multiple_px=4. Received: multiple_px=2, an error for an input of 26 x 26 px"),
        (with_skip(3), 2, "give multiple_px=6"),
        (network_of(lambda x: conv(x)), 1, "outputs of the size of its input.*'logits' of 27 x 27 px .* 29 x 29 px"),
        (network_of(lambda x: conv(x, strides=2, padding="same")), 1, "enlarge again what strides"),
    ],
)
def test_a_network_that_cannot_take_its_multiple_is_refused_with_the_right_one(network, multiple_px, message, tmp_path):
    plan = TrainingPlan(patch_px=32, epochs=1, precision="float32")
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=message):
        segkit.train(*blobs(), out, network=network, multiple_px=multiple_px, plan=plan)
    assert not out.exists()


class Watched(keras.layers.Layer):
    """Keeps the sides of what it is given, and fails as it is told."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault, self.sides = fault, set()

    def call(self, inputs):
        if inputs.shape[1] is not None:
            self.sides |= set(inputs.shape[1:-1])
            if self.fault is not None:
                raise self.fault
        return inputs


@pytest.mark.parametrize(
    ("axes", "multiple_px", "side"),
    [(2, 1, 29), (2, 64, 320), (2, 128, 384), (2, 512, 512), (3, 8, 40), (3, 32, 96), (3, 64, 64)],
)
def test_the_trial_of_a_network_stays_small(axes, multiple_px, side):
    inputs, watched = keras.Input((*(None,) * axes, 1)), Watched()
    model = keras.Model(inputs, {"logits": watched(inputs)})
    importlib.import_module("segkit.notebook.train")._check_sizes(model, multiple_px)
    assert watched.sides == {side}


@pytest.mark.parametrize("fault", [MemoryError("full"), tf.errors.ResourceExhaustedError(None, None, "full")])
def test_a_trial_that_runs_out_of_memory_is_no_wrong_network(fault, tmp_path):
    plan = TrainingPlan(patch_px=32, epochs=1, precision="float32")
    network = network_of(lambda x: head(Watched(fault)(x)))
    with pytest.raises(type(fault), match="full"):
        segkit.train(*blobs(), tmp_path, network=network, plan=plan)


def test_a_network_of_volumes_is_tried_too(tmp_path):
    plan = TrainingPlan(patch_px=16, patch_slices=4, stride_px=16, validation_stride_px=16, precision="float32")
    with pytest.raises(ValueError, match="give multiple_px=2"):
        segkit.train(*blobs(shape=(12, 32, 32)), tmp_path, network=small_volume_net, plan=plan)


class Subclassed(keras.Model):
    """A network that is not made of inputs and outputs."""

    def call(self, inputs):
        return {"logits": inputs}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network": network_of(lambda x: conv(x, padding="same"), (32, 32, 1))},
            "takes only inputs of 32 x 32 pixels",
        ),
        ({"network": network_of(lambda x: conv(x, padding="same"), (None, None, 3))}, "takes 3 channels"),
        (
            {"network": small_volume_net},
            "takes volumes, but the patches are single slices; give the plan `patch_slices`",
        ),
        ({"network": two_layers, "plan": TrainingPlan(patch_slices=2)}, "takes slices, but the patches are volumes"),
        ({"network": network_of(lambda x: conv(x)["logits"])}, "end it in a dict"),
        ({"network": network_of(lambda x: conv(x, padding="same"))}, None),
        ({"network": lambda: None}, "`network` must return a keras.Model. Received: None"),
        ({"network": Subclassed}, "end it in a dict: .* Received: a model of the type Subclassed, which does not tell"),
        ({"callbacks": keras.callbacks.Callback()}, "`callbacks` must be a sequence of Keras callbacks. Received"),
        ({"callbacks": [keras.callbacks.Callback]}, r"`callbacks` must be objects of .*, such as `Mine\(\)`"),
        ({"out": 5}, "`out` must be the path of a folder. Received: out=5"),
        ({"network": "unet"}, "`network` must be a function that builds a network.*network='unet'"),
        ({"multiple_px": 0}, "`multiple_px` must be a whole number of at least 1"),
        ({"multiple_px": 2.0}, "`multiple_px` must be a whole number of at least 1"),
        ({"halo_px": -3}, "`halo_px` must be a whole number of at least 0"),
        ({"splits": [Split(train=(0, 1, 2), validation=(9,))]}, "slice 9 is outside of volume 0, .* give 0 to 5"),
        ({"splits": [Split(train=(-1, 1, 2), validation=(3,))]}, "slice -1 is outside of volume 0"),
        ({"resume": True, "overwrite": True}, "`resume` and `overwrite` exclude each other"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_begins(changes, message, tmp_path, monkeypatch):
    reached = []
    monkeypatch.setattr(
        importlib.import_module("segkit.notebook.train"), "fit", lambda *_, **__: reached.append("fit") or 1 / 0
    )
    ask = {"network": two_layers, "plan": TrainingPlan(patch_px=32, epochs=1, precision="float32"), **changes}
    error = ZeroDivisionError if message is None else (ValueError, InputError)
    with pytest.raises(error, match=message):
        segkit.train(*blobs(), **{"out": tmp_path, **ask})
    assert reached == ([] if message else ["fit"])


def test_the_log_tells_that_tiles_are_blended_where_the_context_is_unknown(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(importlib.import_module("segkit.notebook.train"), "fit", lambda *_, **__: 1 / 0)
    for halo_px in (None, 3):
        caplog.clear()
        plan = TrainingPlan(patch_px=32, epochs=1, precision="float32")
        with caplog.at_level("INFO"), pytest.raises(ZeroDivisionError):
            segkit.train(*blobs(), tmp_path, network=two_layers, plan=plan, halo_px=halo_px)
        told = [(r.levelname, r.getMessage()) for r in caplog.records if "predicted in tiles" in r.getMessage()]
        line = (
            "note: model: predicted in tiles of 32 px, as no halo_px is given; results of tiles are blended; give "
            "halo_px for those of whole slices"
        )
        assert told == ([("INFO", line)] if halo_px is None else [])


def test_what_looks_wrong_about_a_training_is_told_as_the_recipes_tell_it(tmp_path, caplog):
    smooth = gaussian(np.random.default_rng(0).normal(size=(6, 96, 96)), (0, 4, 4))
    mask = (smooth > 0.03).astype(np.uint8)
    mask[:, 60:] = 0
    image = np.where(mask, 160, 60) + np.random.default_rng(1).normal(0, 15, mask.shape)
    odd = Volume(array=image.astype(np.float32), warnings=("the file holds 2 image series; the first is read",))
    plan = TrainingPlan(patch_px=32, stride_px=32, batch_size=4, epochs=1, precision="float32")
    with caplog.at_level(logging.WARNING, "segkit"):
        segkit.train(odd, mask, tmp_path / "right", network=two_layers, plan=plan, halo_px=3)
        assert caplog.text.count("the file holds 2 image series") == 1
        assert "fits the image clearly better" not in caplog.text
        segkit.train(odd, mask[:, ::-1], tmp_path / "flipped", network=two_layers, plan=plan, halo_px=3)
    assert "fits the image clearly better with its rows (y) flipped" in caplog.text


def test_what_looks_wrong_about_scores_is_told_as_the_command_tells_it(caplog):
    _, mask = blobs(shape=(6, 64, 64))
    with caplog.at_level(logging.WARNING, "segkit"):
        segkit.evaluate(mask, mask)
        assert not caplog.messages
        found = segkit.evaluate(mask, mask[:, ::-1])
    assert "the prediction fits much better with the reference's rows (y) flipped" in caplog.text
    assert 0 < found.to_dict()["total"]["foreground_iou"] < 1


def test_slices_that_a_run_has_learnt_from_are_told(tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = {}
    notebook = importlib.import_module("segkit.notebook.evaluate")
    monkeypatch.setattr(notebook, "seen_slices", lambda *given: seen.update(given=given) or [1, 2])
    _, mask = blobs()
    for name in ("mask.mrc", "M.mrc"):
        segkit.save_volume(name, Volume(array=mask.astype(np.int8), voxel_size_nm=SIZE_NM))
    segkit.evaluate("mask.mrc", "M.mrc", slices=[1, 2, 3])
    assert seen["given"] == ("mask.mrc", "M.mrc", [1, 2, 3], 6)
    assert (
        "note: 2 scored slices were trained on or chose the checkpoint of .; score slices that were not" in caplog.text
    )
