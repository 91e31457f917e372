"""Separate targets and their weight, and refuse targets made for another output."""

from __future__ import annotations

from typing import Any

import keras


def split_weight(y_true: Any, y_pred: Any, *, channels: int | None = None, name: str) -> tuple[Any, Any]:
    """Return target and weight of every pixel, which travel together as channels of ``y_true``.

    The weight is the last channel. Where it is 0, the target is taken for 0: what stands there, such as NaN or a value
    that means "unknown", reaches no sum. A target of another width or size than the prediction is refused: scored on
    some of its channels, or repeated along an axis, it would silently train a network on the wrong target.

    Args:
        y_true: Tensor, shape ``(batch, ..., channels + 1)``.
        y_pred: Tensor, shape ``(batch, ..., outputs)``.
        channels: Channels of the target; by default as many as ``y_pred`` has. 1 where a single channel holds the
            class.
        name: Name of the loss or metric, for the message.

    Returns:
        Target ``(batch, ..., channels)`` and weight ``(batch, ..., 1)``.

    Raises:
        ValueError: If ``y_true`` has another number of channels or of axes, or, as far as both are known, another size.
    """
    expected = (y_pred.shape[-1] if channels is None else channels) + 1
    if y_true.shape[-1] != expected or len(y_true.shape) != len(y_pred.shape):
        raise ValueError(
            f"{name}: `y_true` must have the axes of `y_pred` and {expected} channels (target, then weight) for "
            f"`y_pred` of {y_pred.shape[-1]} channels. Received: y_true.shape={tuple(y_true.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )
    # An unknown size is `None`.
    sizes = zip(y_true.shape[:-1], y_pred.shape[:-1], strict=True)
    if any(None not in pair and pair[0] != pair[1] for pair in sizes):
        raise ValueError(
            f"{name}: `y_true` must have the sizes of `y_pred` along all axes but the channels. "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
        )
    target, weight = y_true[..., :-1], y_true[..., -1:]
    return keras.ops.where(weight != 0, target, keras.ops.zeros_like(target)), weight
