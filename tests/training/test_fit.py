"""What `fit` feeds, keeps and throws away, on whatever backend runs the tests."""

import dataclasses
import logging
import types

import keras
import numpy as np
import pytest
from hand_made import PLAN, labeled_volume

from segkit.errors import InputError
from segkit.losses.bce_jaccard import BCEJaccard
from segkit.metrics.predicted_foreground import PredictedForeground
from segkit.models.card import ModelCard
from segkit.monitor import Monitor
from segkit.preprocessing.standardize import Standardize
from segkit.targets.foreground import ForegroundTarget
from segkit.tasks.foreground import ForegroundTask
from segkit.training.fit import build_compiled, fit, stream
from segkit.training.plan import TrainingPlan
from segkit.training.preparation import _warn_of_other_voxels, prepare, shrink_patch
from segkit.training.resumable import Resumable

CARD = ModelCard(name="a", structure="a", preprocessing=Standardize(mean=0.0, std=1.0))


class Numbered:
    """A sampler whose targets are the number of the step."""

    steps_per_epoch = 3
    channels = 1
    target = ForegroundTarget()
    table = types.SimpleNamespace(patch_shape=(2, 2))

    def batch(self, step):
        return np.zeros((1, 2, 2, 1), np.float32), np.full((1, 2, 2, 2), step, np.float32)


@keras.saving.register_keras_serializable(package="test_fit")
class MeanTarget(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true)


def small_model():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1)(inputs)})
    metrics = [MeanTarget(name="step"), PredictedForeground()]
    model.compile(optimizer=keras.optimizers.Adam(), loss={"logits": BCEJaccard()}, metrics={"logits": metrics})
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("first_epoch", [0, 2])
def test_every_epoch_is_fed_its_own_batches_once(first_epoch):
    model = small_model()
    build_compiled(model, Numbered())
    history = model.fit(
        stream(Numbered(), first_epoch=first_epoch),
        steps_per_epoch=3,
        initial_epoch=first_epoch,
        epochs=first_epoch + 3,
        validation_data=stream(Numbered()),
        validation_steps=3,
        shuffle=False,
        verbose=0,
    ).history
    # Epoch e holds the steps 3 e, 3 e + 1 and 3 e + 2.
    assert history["step"] == [3 * epoch + 1 for epoch in range(first_epoch, first_epoch + 3)]
    assert history["val_step"][0] == 1


def record_of(folder, epochs, identity=None):
    model = small_model()
    build_compiled(model, Numbered())
    record = Resumable(folder, CARD, {}, identity=identity)
    record.set_model(model)
    record.set_params({"epochs": epochs})
    return record, model


def finish_epochs(record, scores):
    for score in scores:
        record.on_epoch_end(record.epochs_done, {"val_mean_iou": score})


def test_a_run_that_begins_anew_owes_nothing_to_the_one_before(tmp_path):
    old, _ = record_of(tmp_path, 5)
    finish_epochs(old, [0.1, 0.2, 0.3, 0.4, 0.5])
    old.publish()
    new, model = record_of(tmp_path, 2)
    new.start_over()
    assert not (tmp_path / "model.keras").exists()
    finish_epochs(new, [0.2, 0.1])
    again, _ = record_of(tmp_path, 2)
    assert again.resume(model)
    assert (again.epochs_done, again.best_epoch) == (2, 0)
    assert again.publish().exists()


def test_where_nothing_has_been_kept_nothing_is_resumed(tmp_path):
    record, model = record_of(tmp_path, 2)
    assert record.resume(model) is False
    assert (record.epochs_done, record.rows) == (0, [])


def test_the_log_of_a_run_that_was_killed_before_it_was_written_is_made_good(tmp_path):
    record, _ = record_of(tmp_path, 3)
    finish_epochs(record, [0.1, 0.2])
    whole = (tmp_path / "log.csv").read_text()
    (tmp_path / "log.csv").write_text("".join(whole.splitlines(keepends=True)[:2]))
    again, model = record_of(tmp_path, 3)
    assert again.resume(model)
    assert (tmp_path / "log.csv").read_text() == whole


def test_a_loss_is_warned_of_where_there_is_one(tmp_path, caplog):
    record, _ = record_of(tmp_path, 2)
    record.warn_of_loss()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "epoch-00001.unfinished").write_bytes(b"of a first epoch that was killed")
    record.warn_of_loss()
    assert not caplog.messages
    (tmp_path / "state" / "epoch-00001.npz").write_bytes(b"")
    record.warn_of_loss()
    (tmp_path / "log.csv").touch()
    record.warn_of_loss()
    first, second = caplog.messages
    assert first.endswith("no snapshot in state/ can be read; the training starts over from epoch 1")
    assert second.endswith("from epoch 1 and replaces log.csv")


def test_a_run_is_not_resumed_on_other_data(tmp_path):
    record, _ = record_of(tmp_path, 1, {"data 1": {"mask": "M.mrc"}})
    finish_epochs(record, [0.5])
    other, model = record_of(tmp_path, 1, {"data 1": {"mask": "S.mrc"}})
    with pytest.raises(InputError, match=r"has data 1 \{'mask': 'M.mrc'\}, the plan says \{'mask': 'S.mrc'\}"):
        other.resume(model)
    more, model = record_of(tmp_path, 1, {"data 1": {"mask": "M.mrc"}, "data 2": {"mask": "M.mrc"}})
    with pytest.raises(InputError, match="has data 2 None"):
        more.resume(model)
    silent, _ = record_of(tmp_path / "old", 1, {})
    finish_epochs(silent, [0.5])
    again, model = record_of(tmp_path / "old", 1, {"data 1": {"mask": "S.mrc"}})
    assert again.resume(model)  # snapshots of before do not tell of data


def test_a_run_is_not_resumed_under_another_plan(tmp_path):
    record, _ = record_of(tmp_path, 1, {"learning_rate": 0.1})
    finish_epochs(record, [0.5])
    other, model = record_of(tmp_path, 1, {"learning_rate": 0.2})
    with pytest.raises(InputError, match=r"has learning_rate 0\.1, the plan says 0\.2.*in Python overwrite=True"):
        other.resume(model)


def test_a_diverged_run_of_an_earlier_version_is_not_published(tmp_path):
    record, _ = record_of(tmp_path, 1)
    record.on_epoch_end(0, {"loss": float("nan"), "val_mean_iou": 0.5})
    with pytest.raises(InputError, match=r"the training has diverged \(loss is nan\).*in Python overwrite=True"):
        record.publish()


def test_a_best_model_that_is_gone_is_missed(tmp_path):
    record, _ = record_of(tmp_path, 1)
    finish_epochs(record, [0.5])
    for path in (tmp_path / "state").glob("best-*"):
        path.unlink()
    with pytest.raises(InputError, match=r"the best model of the run is missing.*in Python overwrite=True"):
        record.publish()


def volume(side):
    split = types.SimpleNamespace(train=(0,), validation=(), test=())
    return types.SimpleNamespace(split=split, tomogram=types.SimpleNamespace(shape=(2, side, side + 100)))


def sized(name, nm):
    return types.SimpleNamespace(tomogram=types.SimpleNamespace(name=name, voxel_size_nm=nm))


def test_tomograms_of_another_scale_are_warned_of(caplog):
    with caplog.at_level("WARNING", logger="segkit"):
        _warn_of_other_voxels(sized("b.mrc", (9.0, 2.1, 2.1)), sized("a.mrc", (1.0, 2.0, 2.0)))
        _warn_of_other_voxels(sized("b.mrc", None), sized("a.mrc", (1.0, 2.0, 2.0)))
        assert caplog.text == ""
        _warn_of_other_voxels(sized("b.mrc", (1.0, 8.0, 8.0)), sized("a.mrc", (1.0, 2.0, 2.0)))
        assert "b.mrc has voxels of 8 x 8 nm (y, x), a.mrc of 2 x 2 nm" in caplog.text
        _warn_of_other_voxels(sized("b.mrc", (9.0, 2.1, 2.1)), sized("a.mrc", (1.0, 2.0, 2.0)), "zyx")
    assert "b.mrc has voxels of 9 x 2.1 x 2.1 nm (z, y, x), a.mrc of 1 x 2 x 2 nm" in caplog.text


def test_patches_shrink_to_the_smallest_slice_and_say_so(caplog):
    plan = TrainingPlan(patch_px=512, stride_px=256, validation_stride_px=512)
    assert shrink_patch(plan, [volume(512)], 16) is plan
    with caplog.at_level("WARNING", logger="segkit"):
        shrunk = shrink_patch(plan, [volume(600), volume(200)], 16)
    assert (shrunk.patch_px, shrunk.stride_px, shrunk.validation_stride_px) == (192, 96, 192)
    assert "shrink from 512 to 192 px" in caplog.text
    with pytest.raises(InputError, match="needs at least 16 px"):
        shrink_patch(plan, [volume(10)], 16)


def learnt(tmp_path, callbacks=(), **changes):
    """Train with steps that change nothing; return a row for every epoch, and the number of steps of one."""
    prepared = prepare([labeled_volume()], PLAN)
    inputs = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-3.0))
    model = keras.Model(inputs, {"logits": layer(inputs)})
    plan = dataclasses.replace(PLAN, **changes)
    card = ModelCard(name="a", structure="a", preprocessing=prepared.preprocessing)
    record = fit(model, prepared.training, prepared.validation, plan, tmp_path, card, callbacks=callbacks)
    return record.rows, prepared.training.steps_per_epoch


def test_an_epoch_is_told_of_when_it_is_kept(tmp_path):
    """Whoever has read the line of an epoch need not train it again, whenever the process is killed."""
    kept = []

    class Look(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("epoch "):
                rows = (tmp_path / "log.csv").read_text().splitlines()[1:]
                kept.append((len(rows), max(path.name for path in (tmp_path / "state").glob("epoch-*.npz"))))

    log, look = logging.getLogger("segkit.training.fit"), Look()
    level = log.level
    log.addHandler(look)
    log.setLevel(logging.INFO)
    try:
        learnt(tmp_path, epochs=2)
    finally:
        log.removeHandler(look)
        log.setLevel(level)
    assert kept == [(1, "epoch-00001.npz"), (2, "epoch-00002.npz")]


def test_the_step_size_falls_with_every_step_and_stays_without_decay(tmp_path):
    rows, steps = learnt(tmp_path / "a", epochs=3, learning_rate=1e-9, decay=0.25, plateau_patience=100)
    done = steps * np.arange(1, 4)
    assert steps > 1
    assert [row["learning_rate"] for row in rows] == pytest.approx(1e-9 / (1 + 0.25 * done))
    rows, _ = learnt(tmp_path / "b", epochs=2, learning_rate=1e-9, decay=0.0, plateau_patience=100)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-9, 1e-9])


def test_a_training_without_progress_ends_after_its_patience_and_halves_its_step_size_before(tmp_path):
    given = {"epochs": 12, "learning_rate": 1e-9, "decay": 0.0, "plateau_patience": 2, "early_stopping_patience": 5}
    rows, _ = learnt(tmp_path, **given)
    assert len(rows) == 6
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-9, 1e-9, 1e-9, 5e-10, 5e-10, 2.5e-10])


def test_a_training_whose_loss_is_no_number_ends_before_the_epoch_is_kept(tmp_path):
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                logs["loss"] = float("nan")

    with pytest.raises(InputError, match="epoch 2: loss is nan"):
        learnt(tmp_path, callbacks=[Broken()], epochs=3)
    _, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 1
    assert [path.name for path in (tmp_path / "state").glob("epoch-*.npz")] == ["epoch-00001.npz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp16"}, "plan: precision is 'fp16'; give auto, float32, mixed_bfloat16"),
        ({"augmentation": {"flips": True}}, "plan: augmentation is {'flips': True}; give an Augmentation"),
        ({"augmentation": None}, r"for none Augmentation\(flips=False, turns=False\)"),
    ],
)
def test_a_plan_refuses_what_a_training_could_not_use(changes, message):
    with pytest.raises(InputError, match=message):
        TrainingPlan(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"deterministic": "no"}, InputError, "plan: deterministic 'no'; give true or false"),
        ({"deterministic": 1}, InputError, "plan: deterministic 1; give true or false"),
        ({"epochs": 0}, InputError, "plan: epochs is 0; give a whole number of at least 1"),
        ({"ignore_value": True}, InputError, "plan: ignore_value True; give a whole number or null"),
    ],
)
def test_a_plan_that_is_constructed_is_checked_like_one_that_is_read(changes, error, message):
    with pytest.raises(error, match=message):
        TrainingPlan(**changes)
    with pytest.raises(error, match=message):
        TrainingPlan.from_dict(changes)


def test_a_monitor_that_nothing_gives_is_told_with_the_scores_that_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(ForegroundTask, "monitor", Monitor(name="val_foo", mode="max", title="foo"))
    prepared = prepare([labeled_volume()], PLAN)
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, {"logits": keras.layers.Conv2D(1, 1)(inputs)})
    message = r"`monitor` must be a score of .*val_loss, .*val_mean_iou.* Received: 'val_foo'"
    with pytest.raises(ValueError, match=message):
        fit(model, prepared.training, prepared.validation, PLAN, tmp_path, CARD)
