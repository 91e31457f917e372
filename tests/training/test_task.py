"""Binary and several-class trainings through the same `fit`."""

import csv
import dataclasses
import logging

import keras
import numpy as np
import pytest
from own_task import L1, DenoisingTask

from segkit.data.patches import tabulate_patches
from segkit.data.sampler import PatchSampler
from segkit.errors import InputError
from segkit.models.card import ModelCard
from segkit.models.files import load_model
from segkit.models.unet_se import unet_se
from segkit.preprocessing.standardize import Standardize
from segkit.targets.classes import ClassTarget
from segkit.targets.image import ImageTarget
from segkit.tasks.classes import ClassesTask
from segkit.tasks.missed_class_alarm import MissedClassAlarm
from segkit.tasks.task import TASKS
from segkit.training.fit import PlainNames, fit
from segkit.training.plan import TrainingPlan

NAMES = ("background", "left", "right")


def samplers():
    """Three stripes, each of a grey value of its own."""
    labels = np.zeros((4, 16, 48), np.uint8)
    labels[..., 16:32], labels[..., 32:] = 1, 2
    image = (80 * labels + np.random.default_rng(0).integers(-20, 20, labels.shape)).astype(np.int16)
    shared = {"batch_size": 4, "preprocessing": Standardize(mean=80.0, std=65.0), "target": ClassTarget(num_classes=3)}
    tables = [tabulate_patches([(labels, z)], patch_shape=(16, 16), stride=8) for z in ([1, 2, 3], [0])]
    return [PatchSampler([(image, labels)], table, **shared) for table in tables]


@pytest.mark.parametrize("supervision", [0.0, 0.3])
def test_three_stripes_are_learnt_and_every_class_is_logged(supervision, tmp_path):
    keras.utils.set_random_seed(0)
    model = unet_se(num_classes=3, filters=(4, 8), supervision=supervision > 0)
    plan = TrainingPlan(epochs=12, learning_rate=2e-2, precision="float32")
    card = ModelCard(
        name="stripes",
        structure="stripes",
        preprocessing=Standardize(mean=80.0, std=65.0),
        task=ClassesTask(class_names=NAMES, supervision=supervision),
    )
    record = fit(model, *samplers(), plan, tmp_path, card)
    with open(tmp_path / "log.csv", newline="") as log:
        columns = next(csv.reader(log))
    assert {"mean_iou", "val_mean_iou", *(f"val_iou_{name}" for name in NAMES)} <= set(columns)
    best = record.rows[record.best_epoch]
    assert best["val_mean_iou"] > 0.9
    assert best["val_mean_iou"] == pytest.approx(np.mean([best[f"val_iou_{name}"] for name in NAMES]), rel=1e-5)
    images, targets = samplers()[1].batch(0)
    found = load_model(record.publish()).predict_on_batch(images)["logits"].argmax(-1)
    assert (found == targets[..., 0]).mean() > 0.95
    other = dataclasses.replace(card, task=ClassesTask(class_names=NAMES[::-1], supervision=supervision))
    with pytest.raises(InputError, match="the run to resume has task"):
        fit(model, *samplers(), plan, tmp_path, other, resume=True)


def test_what_does_not_belong_together_is_refused_before_the_training(tmp_path):
    plan, card = (
        TrainingPlan(epochs=1),
        ModelCard(name="a", structure="a", preprocessing=Standardize(mean=0.0, std=1.0)),
    )
    with pytest.raises(ValueError, match="must give 'logits' of 1 channel for a task of the kind 'foreground'"):
        fit(unet_se(num_classes=3, filters=(2, 4)), *samplers(), plan, tmp_path, card)
    for task in (ClassesTask(class_names=NAMES[:2]), ClassesTask(class_names=NAMES, supervision=0.3)):
        with pytest.raises(ValueError, match=r"for a task of the kind 'classes'\. Received"):
            task.compile(unet_se(num_classes=3, filters=(2, 4)), 1e-3)


def test_the_loss_is_shared_out_as_the_paper_says():
    model = unet_se(num_classes=3, filters=(4, 8), supervision=True)
    task = ClassesTask(class_names=NAMES, supervision=0.25)
    task.compile(model, 1e-3)
    images, targets = samplers()[1].batch(0)
    found = model.test_on_batch(images, dict.fromkeys(task.spans, targets), return_dict=True)
    assert found["loss"] == pytest.approx(0.75 * found["logits_loss"] + 0.25 * found["deep_logits_loss"], rel=1e-5)


def test_scores_of_the_main_output_get_plain_names():
    logs = {
        "loss": 1.0,
        "logits_loss": 0.5,
        "logits_mean_iou": 0.2,
        "val_logits_iou_a": 0.3,
        "val_deep_logits_loss": 2.0,
    }
    PlainNames(["logits", "deep_logits"]).on_epoch_end(0, logs)
    assert logs == {
        "loss": 1.0,
        "logits_loss": 0.5,
        "mean_iou": 0.2,
        "val_iou_a": 0.3,
        "val_deep_logits_loss": 2.0,
    }


def test_scores_of_another_output_keep_theirs():
    logs = {"val_values_psnr": 1.0, "values_loss": 2.0, "values_l1_loss": 3.0, "val_values_far_psnr": 4.0}
    PlainNames(["values", "values_far"]).on_epoch_end(0, logs)
    assert logs == {"val_psnr": 1.0, "values_loss": 2.0, "l1_loss": 3.0, "val_values_far_psnr": 4.0}


@TASKS.register("denoising twice")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TwiceTask(DenoisingTask):
    """The clean image from two heads."""

    @property
    def outputs(self):
        (values,) = super().outputs
        return (values, dataclasses.replace(values, name="early", served=None))

    def losses(self):
        return {"values": L1(), "early": L1()}


def test_the_score_of_a_main_output_of_any_name_is_watched(tmp_path):
    image = np.random.default_rng(0).normal(0, 1, (2, 16, 16)).astype(np.float32)
    scale, target = Standardize(mean=0.0, std=1.0), ImageTarget()
    table = tabulate_patches([(np.ones(image.shape), [0, 1])], patch_shape=(16, 16), stride=8)
    sampler = PatchSampler([(image, image)], table, batch_size=2, preprocessing=scale, target=target)
    inputs = keras.Input((None, None, 1))
    heads = {name: keras.layers.Conv2D(1, 1, name=name, dtype="float32")(inputs) for name in ("values", "early")}
    card = ModelCard(name="a", structure="a", preprocessing=scale, task=TwiceTask())
    plan = TrainingPlan(epochs=2, precision="float32")
    record = fit(keras.Model(inputs, heads), sampler, sampler, plan, tmp_path, card)
    scores = [row["val_psnr"] for row in record.rows]
    assert record.best_epoch == int(np.argmax(scores))


class Counting(keras.callbacks.Callback):
    STATE = ("count",)
    count = 0


def test_callbacks_whose_memories_would_be_mixed_up_are_refused(tmp_path):
    card = ModelCard(
        name="a", structure="a", preprocessing=Standardize(mean=80.0, std=65.0), task=ClassesTask(class_names=NAMES)
    )
    ours = type("plateau", (Counting,), {})
    for callbacks, name in (([Counting(), Counting()], "Counting"), ([ours()], "plateau")):
        with pytest.raises(ValueError, match=f"names of their own.* a second {name}"):
            network = unet_se(num_classes=3, filters=(2, 4))
            fit(network, *samplers(), TrainingPlan(epochs=1), tmp_path, card, callbacks=callbacks)


def test_a_class_that_is_never_found_is_told_ever_less_often(caplog):
    alarm = MissedClassAlarm({"synapse": "val_iou_synapse"}, patience=2)
    with caplog.at_level(logging.WARNING):
        for epoch in range(12):
            alarm.on_epoch_end(epoch, {"val_iou_synapse": 0.0})
    assert [message.split(":")[0] for message in alarm.alarms] == ["epoch 2", "epoch 4", "epoch 8"]
    assert "synapse has not been found on the validation slices for 8 epochs" in caplog.text
    alarm.on_epoch_end(12, {"val_iou_synapse": 0.1})
    assert alarm.waits == {"synapse": 0}


@pytest.mark.parametrize(("names", "share"), [(("a",), 0.0), (("a", "a"), 0.0), (("a", "b"), 1.0), (("a", "b"), -0.1)])
def test_tasks_without_meaning_are_refused(names, share):
    with pytest.raises(ValueError, match="Received"):
        ClassesTask(class_names=names, supervision=share)


@pytest.mark.parametrize("name", ["losses", "metrics"])
def test_scores_of_outputs_that_the_task_lacks_are_refused(name, monkeypatch):
    task, model = ClassesTask(class_names=NAMES), unet_se(num_classes=3, filters=(2, 4))
    given = {**getattr(task, name)(), "other": None}
    monkeypatch.setattr(ClassesTask, name, lambda self: given)
    with pytest.raises(ValueError, match=f"`{name}` must name outputs of the task 'classes': logits. Received: other"):
        task.compile(model, 1e-3)
