"""Several classes that exclude each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from segkit.targets.foreground import look_up, pixel_kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassTarget:
    """The class of every pixel, as one channel, and weight 1.

    Attributes:
        num_classes: Number of classes, background among them, from 2 to 255.
        ignore_value: Label of unannotated pixels, which weigh 0.

    Raises:
        ValueError: If ``num_classes`` is out of its range, or, when a target is made, for an unknown label.
    """

    num_classes: int
    ignore_value: int | None = None
    channels: ClassVar[int] = 1
    nearest: ClassVar[tuple[bool, ...]] = (True,)

    def __post_init__(self) -> None:
        if not 2 <= self.num_classes <= 255:
            raise ValueError(f"`num_classes` must be from 2 to 255. Received: num_classes={self.num_classes!r}")

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return class and weight of labels 0, 1, 2, ..., any shape; of two classes everything but 0 is the second."""
        (labels,) = parts
        if self.num_classes > 2:
            self._check(labels)
        pairs = np.ones((self.num_classes + 1, 2), np.float32)
        pairs[:, 0] = range(self.num_classes + 1)
        pairs[-1] = 0  # unknown
        return look_up(pixel_kinds(labels, self.ignore_value, self.num_classes), pairs, out)

    def _check(self, labels: np.ndarray) -> None:
        # Bytes that hold other labels would be taken for unannotated ones, or wrap around to a class.
        if not labels.size or 0 <= labels.min() <= labels.max() < self.num_classes:
            return
        known = (labels >= 0) & (labels < self.num_classes)
        if self.ignore_value is not None:
            known |= labels == self.ignore_value
        if not known.all():
            raise ValueError(
                f"`parts` must hold labels from 0 to {self.num_classes - 1}, or `ignore_value`. Received: the label "
                f"{labels[~known][0]}, ignore_value={self.ignore_value!r}"
            )
