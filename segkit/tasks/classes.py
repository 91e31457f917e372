"""Several classes that exclude each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from segkit.errors import InputError
from segkit.monitor import MEAN_IOU, Monitor, as_fraction
from segkit.targets.classes import ClassTarget
from segkit.tasks.output import Output
from segkit.tasks.task import TASKS, Alarms, Scored, Task

if TYPE_CHECKING:
    import keras

    from segkit.data.sources import LabeledVolume
    from segkit.evaluation.evaluate_classes import ClassEvaluation
    from segkit.preprocessing.preprocessing import Preprocessing
    from segkit.report.overlay import Overlay
    from segkit.volumes.label_checks import LabelCounts
    from segkit.volumes.volume import Volume

_USES = {"train": "training", "validation": "validation"}


@TASKS.register("classes")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassesTask(Task):
    """Several classes: softmax cross entropy, monitored by mIoU; the IoU of each class is logged.

    Attributes:
        class_names: Names of all classes, in the order of their labels, background first; each is logged as
            ``iou_<name>``.
        supervision: Share of the loss that the second head of the network takes (the paper's lambda), in [0, 1); 0 for
            networks that have none.

    Raises:
        ValueError: If there are fewer than two different names, or the share is out of its range.

    Reference:
        Ando & Hotta (2021), "Cell Image Segmentation by Feature Random Enhancement Module", Eq. 1.
    """

    class_names: tuple[str, ...]
    supervision: float = 0.0

    result_name: ClassVar[str] = "labels"
    _what_it_gives: ClassVar[str] = "a model of several classes gives labels, the class of the highest probability"

    def __post_init__(self) -> None:
        names = (self.class_names,) if isinstance(self.class_names, str) else tuple(self.class_names)
        object.__setattr__(self, "class_names", names)
        if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"`class_names` must be two or more different names. Received: {names!r}")
        if isinstance(self.supervision, bool) or not 0 <= self.supervision < 1:
            raise ValueError(f"`supervision` must be in [0, 1). Received: supervision={self.supervision!r}")

    @property
    def outputs(self) -> tuple[Output, ...]:
        """One logit per class; with supervision also those of a second head, which is not predicted."""
        shared = {"channels": len(self.class_names), "span": (0, 1), "activation": "softmax"}
        main = Output(name="logits", share=1 - self.supervision, served="probability", **shared)
        return (main, Output(name="deep_logits", share=self.supervision, **shared)) if self.supervision else (main,)

    @property
    def monitor(self) -> Monitor:
        """Validation mIoU over all classes."""
        return MEAN_IOU

    def losses(self) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of every head."""
        from segkit.losses import SoftmaxCrossEntropy

        return {output.name: SoftmaxCrossEntropy() for output in self.outputs}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Return mIoU and the IoU of each class, of the main head."""
        from segkit.metrics import MeanIoU

        count = len(self.class_names)
        alone = (MeanIoU(count, [k], name=f"iou_{name}") for k, name in enumerate(self.class_names))
        return {"logits": [MeanIoU(count), *alone]}

    def alarms(self) -> Alarms:
        """Return the alarm for classes that are never found."""
        from segkit.tasks.missed_class_alarm import MissedClassAlarm

        alarm = MissedClassAlarm({name: f"val_iou_{name}" for name in self.class_names})
        return {"alarm": (alarm, MissedClassAlarm.STATE)}

    def target(
        self, *, weight_limit: float | None, ignore_value: int | None, preprocessing: Preprocessing
    ) -> ClassTarget:
        """Return the target of labels.

        Raises:
            InputError: If weights are asked for.
        """
        if weight_limit is not None:
            raise InputError(
                f"plan: weight_limit is {weight_limit!r}, but weights are for foreground and background; give null"
            )
        return ClassTarget(num_classes=len(self.class_names), ignore_value=ignore_value)

    def check_annotation(
        self, annotation: Volume, *, ignore_value: int | None, progress: Callable[[int, int], None] | None
    ) -> LabelCounts:
        """Check that labels are the classes, and count them in every slice."""
        from segkit.volumes.label_checks import check_labels

        count = len(self.class_names)
        return check_labels(annotation, num_classes=count, ignore_value=ignore_value, progress=progress)

    def notices(self, volumes: Sequence[LabeledVolume]) -> list[str]:
        """Return a line for each use of slices on which some class does not occur, or slices seem to be unpainted."""
        from segkit.tasks.painted import unpainted_notices

        lines = unpainted_notices(volumes)
        for use, consequence in (
            ("train", "it cannot be learnt"),
            ("validation", "it does not influence the checkpoint"),
        ):
            parts = [(volume, slices) for volume in volumes if (slices := getattr(volume.split, use))]
            missing = [set(volume.labels.missing(slices)) for volume, slices in parts]
            # Only what is missing on the slices of all volumes.
            if missing and (everywhere := set.intersection(*missing)):
                names = ", ".join(self.class_names[label] for label in sorted(everywhere))
                lines.append(f"no {names} on the slices for {_USES[use]}: {consequence}; choose other slices")
        return lines

    def build_settings(self) -> dict[str, Any]:
        """Return the number of classes."""
        return {"num_classes": len(self.class_names)}

    def decide(self, maps: Any, xp: Any = np) -> Any:
        """Return the class of the highest probability."""
        return xp.argmax(maps, axis=-1)

    @property
    def served_decision(self) -> str:
        """Labels, not a mask."""
        return "labels"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes but for background."""
        return self.class_names[1:]

    @property
    def background(self) -> str:
        """The first class."""
        return self.class_names[0]

    @classmethod
    def of_reference(
        cls, reference: Volume, *, ignore_value: int | None = None, label_names: Sequence[str] | None = None
    ) -> ClassesTask:
        """Return the task of the classes in a legend, or of all labels up to the highest one of the reference."""
        if label_names is None:
            from segkit.volumes.label_checks import check_labels

            label_names = [str(k) for k in range(check_labels(reference, ignore_value=ignore_value).num_classes)]
        return cls(class_names=tuple(label_names))

    def evaluate(
        self,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> ClassEvaluation:
        """Return the IoU of each class and the confusion, slice by slice."""
        from segkit.evaluation.evaluate_classes import evaluate_classes

        shared = {"slices": slices, "ignore_value": ignore_value, "progress": progress}
        return evaluate_classes(prediction, reference, self.class_names, **shared)

    def headline(self, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the mean IoU and that of each class."""
        total = scores["total"]
        return [
            ("Mean IoU", as_fraction(total["mean_iou"])),
            *((f"IoU: {name}", as_fraction(value)) for name, value in total["iou"].items()),
        ]

    def overlays(self, scored: Scored, ignore_value: int | None) -> list[Overlay]:
        """Return the best, the median and the worst slice of every volume."""
        from segkit.report.label_pictures import label_pictures

        return label_pictures(scored, self.class_names, ignore_value)
