"""Sizes of tensors that are joined along their channels."""

from __future__ import annotations

from collections.abc import Sequence


def check_equal_sizes(name: str, what: str, sizes: Sequence[Sequence[int | None]]) -> None:
    """Refuse tensors that cannot be joined, as far as their sizes are known.

    Args:
        name: Name of the layer, for the error.
        what: What must be equal, such as ``"sizes"``.
        sizes: Sizes of each tensor along its spatial axes; ``None`` where one is unknown.

    Raises:
        ValueError: If known sizes differ.
    """
    if any(len({size for size in along if size is not None}) > 1 for along in zip(*sizes, strict=False)):
        raise ValueError(
            f"{name}: {what} must be the same for all inputs. Received: {' and '.join(str(tuple(s)) for s in sizes)}. "
            "The sizes that a network takes must be a multiple of the product of its strides"
        )
