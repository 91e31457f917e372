"""What a plan of ``recipes.fre`` holds under ``model``."""

from __future__ import annotations

import dataclasses
from typing import Literal

from segkit.arguments import finite_number
from segkit.experiments.enhancement_methods import METHODS
from segkit.experiments.model_settings import check_counts


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Arguments of the network's builder.

    Attributes:
        method: Name of the method.
        filters: Channels of each level of the encoder.
        num_enhanced: B, the number of maps that are enhanced.
        gain: X, the factor of enhanced maps.
        supervision: Share of the second head in the loss.
        normalization: How features are normalised.

    Raises:
        ValueError: If the method is unknown, the gain is too large, or the filters are no positive numbers of at least
            two levels.
    """

    method: str
    filters: tuple[int, ...]
    num_enhanced: int
    gain: float
    supervision: float
    normalization: Literal["batch", "renorm"]

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"`method` must be one of {', '.join(METHODS)}. Received: method={self.method!r}")
        check_counts("filters", self.filters, least=2)
        finite_number("gain", self.gain)
