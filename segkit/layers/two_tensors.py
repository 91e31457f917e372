"""The inputs of layers that take two tensors."""

from __future__ import annotations

from typing import Any


def two_tensors(name: str, inputs: Any) -> tuple[Any, Any]:
    """Return the two tensors that a layer was called with.

    A single tensor would come apart along its batch, and if that is of two the result would be wrong without a word.

    Args:
        name: Name of the layer, for the error.
        inputs: List or tuple of two.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
        found = f"{len(inputs)} tensors" if isinstance(inputs, (list, tuple)) else "a single tensor"
        raise ValueError(f"{name}: `inputs` must be two tensors, as a list or tuple. Received: {found}")
    first, second = inputs
    return first, second
