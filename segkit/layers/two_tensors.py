"""The inputs of layers that take two tensors."""

from __future__ import annotations

from typing import Any


def two_tensors(name: str, inputs: Any) -> tuple[Any, Any]:
    """Return the two tensors that a layer was called with.

    A single tensor would come apart along its batch, and if that is of two the result would be wrong without a word; so
    it would be where a second tensor of one image is repeated for all images of the first.

    Args:
        name: Name of the layer, for the error.
        inputs: List or tuple of two.

    Raises:
        ValueError: If it is anything else, or the two have other numbers of axes or images.
    """
    if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
        found = f"{len(inputs)} tensors" if isinstance(inputs, (list, tuple)) else "a single tensor"
        raise ValueError(f"{name}: `inputs` must be two tensors, as a list or tuple. Received: {found}")
    first, second = inputs
    shapes = [tuple(tensor.shape) for tensor in (first, second)]
    batches = {shape[0] for shape in shapes if shape} - {None}
    if len({len(shape) for shape in shapes}) > 1 or len(batches) > 1:
        raise ValueError(
            f"{name}: `inputs` must be two tensors with the same number of axes and of images. Received: shapes "
            f"{shapes[0]} and {shapes[1]}"
        )
    return first, second
