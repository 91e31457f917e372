"""Another image: clean for noisy, sharp for blurred."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTarget:
    """The values of the partner image, brought to the scale of the network's input, and weight 1.

    Attributes:
        mean: Mean that is subtracted [grey value].
        std: Standard deviation that is divided by, positive [grey value].
        image_channels: Channels of the partner image.
        ignore_value: Value of unannotated pixels, which weigh 0; pixels that are not finite always do.

    Raises:
        ValueError: If ``mean`` is not finite, or ``std`` or ``image_channels`` is not positive.
    """

    mean: float = 0.0
    std: float = 1.0
    image_channels: int = 1
    ignore_value: int | None = None
    nearest: ClassVar[tuple[bool, ...]] = (False,)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(
                f"`mean` must be finite and `std` positive [grey value]. Received: mean={self.mean!r}, std={self.std!r}"
            )
        if self.image_channels < 1:
            raise ValueError(f"`image_channels` must be positive. Received: image_channels={self.image_channels!r}")

    @property
    def channels(self) -> int:
        """Channels of the target, the weight not counted."""
        return self.image_channels

    def __call__(self, parts: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """Return target and weight of an image, any shape; with several channels they come last."""
        (image,) = parts
        values = image if self.image_channels > 1 else image[..., None]
        known = np.isfinite(values).all(axis=-1)
        if self.ignore_value is not None:
            known &= (values != self.ignore_value).any(axis=-1)
        out = np.empty((*values.shape[:-1], self.channels + 1), np.float32) if out is None else out
        scaled = (values.astype(np.float32) - np.float32(self.mean)) * np.float32(1 / self.std)
        out[..., :-1] = np.where(known[..., None], scaled, 0)  # NaN times weight 0 would be NaN
        out[..., -1] = known
        return out
