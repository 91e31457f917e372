"""A kind of task that segkit does not have, in one file: a noisy image becomes a clean one."""

import dataclasses
from typing import ClassVar, Literal

import keras
import numpy as np

from segkit.monitor import Monitor
from segkit.ops.split_weight import split_weight
from segkit.targets.image import ImageTarget
from segkit.tasks.task import TASKS, Output, Task
from segkit.volumes.checks import check_finite


@keras.saving.register_keras_serializable(package="own")
class L1(keras.losses.Loss):
    """Mean absolute difference over annotated pixels."""

    def call(self, y_true, y_pred):
        clean, weight = split_weight(y_true, y_pred, name="L1")
        count = keras.ops.maximum(keras.ops.sum(weight), 1.0) * y_pred.shape[-1]
        return keras.ops.sum(weight * keras.ops.abs(y_pred - clean)) / count


@keras.saving.register_keras_serializable(package="own")
class PSNR(keras.metrics.Mean):
    """Peak signal-to-noise ratio of every batch, averaged; the peak is ``data_range``."""

    def __init__(self, data_range=4.0, name="psnr", **kwargs):
        super().__init__(name=name, **kwargs)
        self.data_range = data_range

    def update_state(self, y_true, y_pred, sample_weight=None):
        clean, _ = split_weight(y_true, y_pred, name="PSNR")
        error = keras.ops.maximum(keras.ops.mean(keras.ops.square(y_pred - clean)), 1e-12)
        super().update_state(20 * np.log10(self.data_range) - 10 * keras.ops.log10(error))

    def get_config(self):
        return {**super().get_config(), "data_range": self.data_range}


@dataclasses.dataclass(frozen=True)
class ImageEvaluation:
    """Squared errors of slices."""

    slices: tuple

    def __add__(self, other):
        return ImageEvaluation(self.slices + other.slices)

    def to_dict(self):
        total = float(np.mean([error for _, error in self.slices]))
        return {"total": {"mse": total}, "slices": [{"z": z, "mse": error} for z, error in self.slices]}

    def to_table(self):
        return "\n".join(f"{z:5} {error:.3f}" for z, error in self.slices)


@TASKS.register("denoising")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoisingTask(Task):
    """Image to image, watched by PSNR or by the loss."""

    watches: Literal["psnr", "loss"] = "psnr"

    result_name: ClassVar[str] = "clean"
    result_dtype: ClassVar[str] = "float32"
    needs_foreground: ClassVar[bool] = False
    score_titles: ClassVar = {"mse": "MSE"}

    @property
    def outputs(self):
        image = {"activation": "linear", "served": "values", "in_grey_values": True}
        return (Output(name="values", channels=1, span=(0, 1), **image),)

    @property
    def monitor(self):
        if self.watches == "loss":
            return Monitor(name="val_loss", mode="min", title="loss")
        return Monitor(name="val_psnr", mode="max", title="PSNR")

    def losses(self):
        return {"values": L1()}

    def metrics(self):
        return {"values": [PSNR()]}

    def target(self, *, weight_limit, ignore_value, preprocessing):
        return ImageTarget(mean=preprocessing.mean, std=preprocessing.std, ignore_value=ignore_value)

    def check_annotation(self, annotation, *, ignore_value, progress):
        check_finite(annotation, progress=progress)

    def decide(self, maps, xp=np):
        return maps[..., 0]

    @property
    def served_decision(self):
        return None

    def evaluate(self, prediction, reference, *, slices=None, ignore_value=None, progress=None):
        chosen = range(reference.shape[0]) if slices is None else slices
        pairs = [(z, np.asarray(prediction.array[z], float), np.asarray(reference.array[z], float)) for z in chosen]
        return ImageEvaluation(tuple((z, float(np.mean((a - b) ** 2))) for z, a, b in pairs))

    def headline(self, scores):
        return [("Mean squared error", f"{scores['total']['mse']:.4f}")]
