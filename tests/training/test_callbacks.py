import logging

import keras
import numpy as np
import pytest

from segkit.errors import InputError
from segkit.tasks.collapse_alarm import CollapseAlarm
from segkit.training.decay_on_plateau import DecayOnPlateau
from segkit.training.plan import PRECISIONS, TrainingPlan
from segkit.training.precision import dtype_policy, resolve_precision
from segkit.training.stop_diverged import StopDiverged


def train(callbacks, epochs=3, steps=4):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(123.0), loss="mse")
    x = np.zeros((steps, 1), np.float32)
    history = model.fit(x, x, batch_size=1, epochs=epochs, validation_data=(x, x), callbacks=callbacks, verbose=0)
    return model, history.history


def test_rate_falls_with_every_step_and_on_plateaus():
    plateau = DecayOnPlateau(0.1, 0.5, monitor="val_loss", patience=2, factor=0.5)
    rates = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    # The loss is 0 from the start: epochs 2 and 3 are no better than the first, so the rate halves for epoch 4.
    train([plateau, Watch()], epochs=4)
    moves = [step // 4 * 4 if keras.backend.backend() == "jax" else step for step in range(16)]
    expected = [0.1 * (1.0 if step < 12 else 0.5) / (1 + 0.5 * move) for step, move in enumerate(moves)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert (plateau.scale, plateau.wait) == (0.5, 1)


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_plateau_counts_epochs_without_an_improvement(mode, sign):
    plateau = DecayOnPlateau(1.0, monitor="val_score", mode=mode, patience=2, factor=0.1, min_delta=0.0)
    for score in (0.5, 0.6, 0.6, 0.59):
        plateau.on_epoch_end(0, {"val_score": sign * score})
    assert (plateau.best, plateau.scale) == (sign * 0.6, 0.1)
    plateau.on_epoch_end(0, {"val_score": sign * 0.7})
    assert (plateau.best, plateau.wait, plateau.scale) == (sign * 0.7, 0, 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"factor": 0}, "`factor`"), ({"decay": -1}, "`decay`"), ({"mode": "up"}, "`mode`")]
)
def test_rates_without_meaning_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DecayOnPlateau(0.1, **arguments)


@pytest.mark.parametrize(("share", "word"), [(0.0, "background"), (1.0, "foreground")])
def test_alarm_after_several_collapsed_epochs(share, word, caplog):
    alarm = CollapseAlarm(patience=2)
    with caplog.at_level(logging.WARNING, logger="segkit"):
        alarm.on_epoch_end(0, {"val_predicted_foreground": share})
        alarm.on_epoch_end(1, {"val_predicted_foreground": 0.01})
        alarm.on_epoch_end(2, {"val_predicted_foreground": share})
        assert alarm.alarms == []
        alarm.on_epoch_end(3, {"val_predicted_foreground": share})
    assert len(alarm.alarms) == 1
    assert f"epoch 4: all validation pixels classified as {word} for 2 epochs" in caplog.text
    assert "weight_limit" in caplog.text


def test_precision_is_what_was_asked_for_and_auto_is_one_of_the_two():
    for precision in PRECISIONS:
        assert resolve_precision(precision) in ({*PRECISIONS} - {"auto"} if precision == "auto" else {precision})
    with pytest.raises(InputError, match="'float16' is unknown; use one of auto, float32, mixed_bfloat16"):
        resolve_precision("float16")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fma avx512_bf16", "mixed_bfloat16"), ("fma avx512f", "float32"), ("amx_bf16", "mixed_bfloat16")],
)
def test_auto_follows_the_processor(flags, expected, monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda _path: True)
    monkeypatch.setattr("pathlib.Path.read_text", lambda _path: f"model name : x\nflags\t\t: {flags}\n")
    monkeypatch.setattr("segkit.training.precision._gpu_capabilities", lambda: [])
    assert resolve_precision("auto") == expected
    for gpus, policy in (([(7, 5)], "float32"), ([(8, 0)], "mixed_bfloat16"), ([(9, 0), (7, 5)], "float32")):
        monkeypatch.setattr("segkit.training.precision._gpu_capabilities", lambda gpus=gpus: gpus)
        assert resolve_precision("auto") == policy


def test_a_computer_that_does_not_list_its_flags_trains_in_float32(monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda _path: False)
    monkeypatch.setattr("segkit.training.precision._gpu_capabilities", lambda: [])
    assert resolve_precision("auto") == "float32"


def test_policy_is_put_back():
    before = keras.config.dtype_policy().name
    with dtype_policy("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before


def test_plan_comes_back_from_json_and_refuses_slips():
    plan = TrainingPlan(epochs=3, weight_limit=2.0)
    assert TrainingPlan.from_dict(plan.to_dict()) == plan
    assert TrainingPlan(seed=2**32 - 1).seed == 2**32 - 1
    for values, message in (
        ({"epoch": 3}, "unknown setting 'epoch'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5; give a whole number of at least 1"),
        ({"positive_copies": -2}, "positive_copies is -2"),
        ({"weight_limit": -3.0}, "weight_limit is -3.0; give a number that is not negative"),
        ({"weight_limit": 0.0}, "weight_limit is 0.0; give a positive number, or null"),
        ({"decay": "fast"}, "decay is 'fast'"),
        ({"ignore_value": 1.5}, "ignore_value is 1.5"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"seed": 2**32}, f"seed is {2**32}; give a whole number up to {2**32 - 1}"),
        ({"augmentation": {"contrast": 2.0}}, "`contrast` must be in"),
    ):
        with pytest.raises(InputError, match=message):
            TrainingPlan.from_dict(values)


@pytest.mark.parametrize("name", ["loss", "val_loss", "val_score"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_training_without_a_loss_ends(name, value):
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_score"] = 0.5
            if epoch == 1:
                logs[name] = value

    with pytest.raises(
        InputError,
        match=rf"epoch 2: {name} is {value}: the training has diverged at .* of 123; give .*Python learning_rate",
    ):
        train([Broken(), StopDiverged("val_score")])
    train([StopDiverged("val_score")])
