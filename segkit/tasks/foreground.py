"""One structure: foreground against background."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from segkit.arguments import make_fields_plain
from segkit.monitor import MEAN_IOU, Monitor, as_fraction
from segkit.targets.foreground import UNKNOWN, ForegroundTarget
from segkit.tasks.output import Output
from segkit.tasks.task import TASKS, Alarms, Scored, Task

if TYPE_CHECKING:
    import keras

    from segkit.data.sources import LabeledVolume
    from segkit.evaluation.evaluate_volumes import Evaluation
    from segkit.preprocessing.preprocessing import Preprocessing
    from segkit.report.overlay import Overlay
    from segkit.volumes.checks import MaskCounts
    from segkit.volumes.volume import Volume

FOREGROUND_LOSSES = ("bce_jaccard", "dice")
"""Names of the losses of foreground: SegET's, and EfficientCellSeg's."""


@TASKS.register("foreground")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ForegroundTask(Task):
    """Foreground against background: a mask, monitored by two-class mIoU, with an alarm for collapsed networks.

    Attributes:
        loss: ``"bce_jaccard"``, SegET's, or ``"dice"``, EfficientCellSeg's.
        threshold: Probability above which a voxel is foreground, in [0, 1].

    Raises:
        ValueError: If a setting is out of its range.
    """

    loss: Literal["bce_jaccard", "dice"] = "bce_jaccard"
    threshold: float = 0.5

    decision_settings: ClassVar[tuple[str, ...]] = ("threshold",)
    evaluation_settings: ClassVar[tuple[str, ...]] = ("ignore_value", "label", "reference_label")

    def __post_init__(self) -> None:
        make_fields_plain(self)
        if self.loss not in FOREGROUND_LOSSES:
            raise ValueError(f"`loss` must be one of {', '.join(FOREGROUND_LOSSES)}. Received: loss={self.loss!r}")
        _check_share("threshold", self.threshold)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """One logit per voxel."""
        return (Output(name="logits", channels=1, span=(0, 1), served="probability"),)

    @property
    def monitor(self) -> Monitor:
        """Validation mIoU of foreground and background."""
        return MEAN_IOU

    def losses(self) -> dict[str, keras.losses.Loss]:
        """Return the loss of the mask."""
        from segkit.losses import BCEJaccard, Dice

        return {"logits": {"bce_jaccard": BCEJaccard, "dice": Dice}[self.loss]()}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Return mIoU, and the share of foreground that the alarm watches."""
        from segkit.metrics import BinaryMeanIoU, PredictedForeground

        return {"logits": [BinaryMeanIoU(), PredictedForeground()]}

    def alarms(self) -> Alarms:
        """Return the alarm for networks that predict one class alone."""
        from segkit.tasks.collapse_alarm import CollapseAlarm

        return {"alarm": (CollapseAlarm(), CollapseAlarm.STATE)}

    def target(
        self, *, weight_limit: float | None, ignore_value: int | None, preprocessing: Preprocessing
    ) -> ForegroundTarget:
        """Return the target of a mask."""
        return ForegroundTarget(weight_limit=weight_limit, ignore_value=ignore_value)

    def check_annotation(
        self, annotation: Volume, *, ignore_value: int | None, progress: Callable[[int, int], None] | None
    ) -> MaskCounts:
        """Check that a mask is binary, and count its foreground in every slice; it may have none."""
        from segkit.volumes.checks import check_binary_mask

        return check_binary_mask(annotation, ignore_value=ignore_value, may_be_empty=True, progress=progress)

    def notices(self, volumes: Sequence[LabeledVolume]) -> list[str]:
        """Return a line for each mask that seems to be inverted, or of which only some slices seem to be painted."""
        from segkit.tasks.painted import inverted_notices, unpainted_notices

        return [*inverted_notices(volumes), *unpainted_notices(volumes)]

    def annotation_parts(
        self, volume: LabeledVolume, size_px: int | None, windows: Sequence[int] | None, ignore_value: int | None
    ) -> list[Any]:
        """Return the mask, resized where slices are."""
        if size_px is None:
            return [volume.mask.array]
        from segkit.preprocessing.resized_slices import cut_windows
        from segkit.targets.resized_annotations import mask_slices

        cut = cut_windows(volume.tomogram.shape[1:], windows)
        return [mask_slices(volume.mask.array, size_px, cut, ignore_value=ignore_value)]

    @property
    def resized_ignore_value(self) -> int:
        """Value of unannotated pixels in a resized mask."""
        return UNKNOWN

    def decide(self, maps: Any, xp: Any = np) -> Any:
        """Return where the probability is above the threshold."""
        return maps[..., 0] > self.threshold

    def with_threshold(self, threshold: float) -> ForegroundTask:
        """Return the task with another threshold."""
        return dataclasses.replace(self, threshold=threshold)

    @property
    def probability_map(self) -> int:
        """The first map is the probability."""
        return 0

    @property
    def used_alone(self) -> str | None:
        """Masks of several models are merged into labels."""
        return None

    def evaluate(
        self,
        prediction: Volume,
        reference: Volume,
        *,
        slices: Sequence[int] | None = None,
        ignore_value: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        label: int | None = None,
        reference_label: int | None = None,
    ) -> Evaluation:
        """Return IoU, Dice and other scores of a mask, or of one label of two label volumes, slice by slice."""
        from segkit.evaluation.evaluate_volumes import evaluate_volumes

        shared = {"slices": slices, "ignore_value": ignore_value, "progress": progress}
        return evaluate_volumes(prediction, reference, label=label, reference_label=reference_label, **shared)

    def headline(self, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return foreground IoU, mean IoU and Dice."""
        total = scores["total"]
        return [
            ("Foreground IoU", as_fraction(total["foreground_iou"])),
            ("Mean IoU", as_fraction(total["mean_iou"])),
            ("Dice", as_fraction(total["dice"])),
        ]

    def overlays(self, scored: Scored, ignore_value: int | None) -> list[Overlay]:
        """Return the best, the median and the worst slice of every volume."""
        from segkit.report.mask_pictures import mask_pictures

        return mask_pictures(scored, ignore_value)


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError(f"`{name}` must be a number from 0 to 1. Received: {name}={value!r}")
