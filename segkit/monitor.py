"""The score that a training follows."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Monitor:
    """The score that chooses the checkpoint, lowers the step size and ends the training.

    Attributes:
        name: Its name in the logs, such as ``"val_mean_iou"``.
        mode: Whether a higher or a lower score is better.
        title: What people read, such as ``"mIoU"``.
        is_share: It is between 0 and 1, and is shown with three digits, as scores are everywhere.

    Raises:
        ValueError: If ``mode`` is another word.
    """

    name: str
    mode: Literal["max", "min"]
    title: str
    is_share: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("max", "min"):
            raise ValueError(f"`mode` must be 'max' or 'min'. Received: mode={self.mode!r}")

    def is_better(self, score: float, best: float) -> bool:
        """Return whether a score is better than the best one so far; NaN never is, and any number is better than it."""
        if math.isnan(best):
            return not math.isnan(score)
        return score > best if self.mode == "max" else score < best

    def shown(self, score: float) -> str:
        """Return a score as people read it."""
        return as_fraction(score) if self.is_share else f"{score:.4g}"

    @property
    def training_name(self) -> str:
        """Name of the same score on the training patches."""
        return self.name.removeprefix("val_")


MEAN_IOU = Monitor(name="val_mean_iou", mode="max", title="mIoU", is_share=True)
"""Validation mIoU, over background and foreground or over all classes."""


def as_fraction(value: float | None) -> str:
    """Return a score between 0 and 1 with three digits; "undefined" for ``None``."""
    return "undefined" if value is None else f"{value:.3f}"
