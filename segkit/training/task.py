"""What a network is trained to tell apart: the loss, the metrics and the alarm that belong together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import keras

from segkit.losses.bce_jaccard import BCEJaccard
from segkit.losses.dice import Dice
from segkit.losses.heatmap_focal import HeatmapFocal
from segkit.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from segkit.metrics.binary_mean_iou import BinaryMeanIoU
from segkit.metrics.mean_iou import MeanIoU
from segkit.metrics.predicted_foreground import PredictedForeground
from segkit.training.collapse_alarm import CollapseAlarm
from segkit.training.missed_class_alarm import MissedClassAlarm

Remembered = dict[str, tuple[keras.callbacks.Callback, Sequence[str]]]
"""Name, callback, and the attributes of it that a resumed run must put back."""


class Task(Protocol):
    """What ``fit`` asks of a task; validation must give ``val_mean_iou``."""

    outputs: Mapping[str, int]
    """Names of the network's outputs, and the channel of the targets that each is compared with."""

    def compile(self, model: keras.Model, learning_rate: float) -> None:
        """Compile a network with Adam, the task's loss and its metrics."""

    def alarms(self) -> Remembered:
        """Return the callbacks that warn of what goes wrong in such trainings."""


_BINARY_LOSSES = {"bce_jaccard": BCEJaccard, "dice": Dice}


@dataclasses.dataclass(frozen=True)
class BinaryTask:
    """Foreground against background: a loss, two-class mIoU, and an alarm for collapsed networks.

    Attributes:
        loss: ``"bce_jaccard"``, SegET's, or ``"dice"``, EfficientCellSeg's.
    """

    loss: Literal["bce_jaccard", "dice"] = "bce_jaccard"

    @property
    def outputs(self) -> dict[str, int]:
        """Names of the network's outputs, and the channel of the targets that each is compared with."""
        return {"logits": 0}

    def __post_init__(self) -> None:
        if self.loss not in _BINARY_LOSSES:
            raise ValueError(f"`loss` must be one of {', '.join(_BINARY_LOSSES)}. Received: loss={self.loss!r}")

    def compile(self, model: keras.Model, learning_rate: float) -> None:
        """Compile a network that ends in ``{"logits": (batch, y, x, 1)}``."""
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss={"logits": _BINARY_LOSSES[self.loss]()},
            metrics={"logits": [BinaryMeanIoU(), PredictedForeground()]},
        )

    def alarms(self) -> Remembered:
        """Return the alarm for networks that call everything background."""
        return {"alarm": (CollapseAlarm(), CollapseAlarm.STATE)}


@dataclasses.dataclass(frozen=True)
class CentersTask(BinaryTask):
    """Foreground against background, and beside it a heatmap of the centres of cells, from a network of its own.

    The two share no weight, and each has a loss of its own. Checkpoint and step size follow the mask, though: the
    centres are taken as they were when the mask was best.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3.
    """

    @property
    def outputs(self) -> dict[str, int]:
        """Names of the network's outputs, and the channel of the targets that each is compared with."""
        return {"logits": 0, "centers": 2}

    def compile(self, model: keras.Model, learning_rate: float) -> None:
        """Compile a network that ends in ``{"logits": (batch, y, x, 1), "centers": (batch, y, x, 1)}``."""
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss={"logits": _BINARY_LOSSES[self.loss](), "centers": HeatmapFocal()},
            metrics={"logits": [BinaryMeanIoU(), PredictedForeground()]},
        )


@dataclasses.dataclass(frozen=True)
class ClassTask:
    """Several classes that exclude each other: softmax cross entropy, mIoU and the IoU of each class.

    Attributes:
        class_names: Names of all classes, in the order of their labels; each is logged as ``iou_<name>``.
        supervision: Share of the loss that the second head of the network takes (the paper's lambda), in [0, 1); 0 for
            networks that have none.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Eq. 1.
    """

    class_names: tuple[str, ...]
    supervision: float = 0.0

    def __post_init__(self) -> None:
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            raise ValueError(f"`class_names` must be two or more different names. Received: {self.class_names!r}")
        if not 0 <= self.supervision < 1:
            raise ValueError(f"`supervision` must be in [0, 1). Received: supervision={self.supervision!r}")

    @property
    def outputs(self) -> dict[str, int]:
        """Names of the network's outputs, and the channel of the targets that each is compared with."""
        return {"logits": 0, "deep_logits": 0} if self.supervision else {"logits": 0}

    def compile(self, model: keras.Model, learning_rate: float) -> None:
        """Compile a network that ends in ``{"logits": (batch, y, x, num_classes)}``, and ``deep_logits`` alike.

        Raises:
            ValueError: If the network has other outputs, or another number of classes.
        """
        count = len(self.class_names)
        found = {name: tensor.shape[-1] for name, tensor in model.output.items()}
        if found != dict.fromkeys(self.outputs, count):
            raise ValueError(
                f"`model` must give {' and '.join(self.outputs)} of {count} channels for this task. Received: {found}"
            )
        shares = dict(zip(self.outputs, (1 - self.supervision, self.supervision), strict=False))
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss={name: SoftmaxCrossEntropy() for name in self.outputs},
            loss_weights=shares,
            metrics={
                "logits": [
                    MeanIoU(count),
                    *(MeanIoU(count, [k], name=f"iou_{name}") for k, name in enumerate(self.class_names)),
                ]
            },
        )

    def alarms(self) -> Remembered:
        """Return the alarm for classes that are never found."""
        alarm = MissedClassAlarm({name: f"val_iou_{name}" for name in self.class_names})
        return {"alarm": (alarm, MissedClassAlarm.STATE)}
