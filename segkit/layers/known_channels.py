"""The number of channels of what a layer is built for."""

from __future__ import annotations

from collections.abc import Sequence


def known_channels(name: str, input_shape: Sequence[int | None]) -> int:
    """Return the number of channels of an input.

    Args:
        name: Name of the layer, for the error.
        input_shape: Shape of the input, ``(batch, ..., channels)``.

    Raises:
        ValueError: If it is unknown, so that no weights can be made.
    """
    if input_shape[-1] is None:
        raise ValueError(
            f"{name}: the number of channels must be known; give it in the shape of the input. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    return input_shape[-1]
