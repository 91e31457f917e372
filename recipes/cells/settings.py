"""What a plan of ``recipes.efficientcellseg`` holds under ``model``."""

from __future__ import annotations

import dataclasses

from segkit.experiments.model_settings import check_counts


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Arguments of the network's builder.

    Attributes:
        encoder: Name of the encoder.
        encoder_weights: Weights that it starts from; ``None`` for random ones.
        freeze_encoder: Train the decoder alone.
        decoder_filters: Filters of the decoder's blocks, the coarsest first.

    Raises:
        ValueError: If the filters are no positive numbers.
    """

    encoder: str
    encoder_weights: str | None
    freeze_encoder: bool
    decoder_filters: tuple[int, ...]

    def __post_init__(self) -> None:
        check_counts("decoder_filters", self.decoder_filters)
