"""What all losses share: one number for the batch, and weights that travel in the target."""

from __future__ import annotations

from typing import Any

import keras

_REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)


class ScalarLoss(keras.losses.Loss):
    """A loss whose ``call`` returns one number for the whole batch, which no reduction changes.

    Pixels and samples are weighted by the last channel of the target: there is nothing left that a weight beside it
    could be multiplied into but the number itself. Not a loss of its own: subclasses give ``call``.

    Args:
        name: Name of the loss.
        reduction: ``"sum_over_batch_size"``, ``"mean"``, ``"mean_with_sample_weight"``, ``"none"`` or ``None``, which
            all leave the number as it is.

    Raises:
        ValueError: If ``reduction`` is another, such as ``"sum"``, or the loss is called with a ``sample_weight``.
    """

    def __init__(self, *, name: str, reduction: str | None = "sum_over_batch_size", **kwargs: Any) -> None:
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f"`reduction` must be one of {_REDUCTIONS}, which leave this loss, one number for the batch, as it is. "
                f"Received: reduction={reduction!r}"
            )
        super().__init__(name=name, reduction=reduction, **kwargs)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the loss of a batch. ``sample_weight`` is refused: weights travel in ``y_true``."""
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: put weights into the last channel of `y_true`")
        return super().__call__(y_true, y_pred)
