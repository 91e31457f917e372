"""The focal loss for heatmaps whose peaks mark centres."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from segkit.arguments import finite_number
from segkit.losses.scalar_loss import ScalarLoss
from segkit.ops.split_weight import split_weight


@keras.saving.register_keras_serializable(package="segkit")
class HeatmapFocal(ScalarLoss):
    """Focal loss of heatmaps that are 1 at centres and fall off around them, from logits.

    With ``p = sigmoid(y)`` and ``n`` centres (pixels with ``t = 1``)

        ``-1 / max(n, 1) * sum((1 - p)^alpha log p  if t = 1  else  (1 - t)^beta p^alpha log(1 - p))``

    so pixels near a centre cost less for being taken for one. ``keras.losses.BinaryFocalCrossentropy`` is for targets
    that are 0 or 1. The weight is the last channel of ``y_true``, as it is for ``BCEJaccard``; a pixel of weight 0
    counts nowhere.

    Args:
        alpha: Power that takes weight from what is right already, not negative.
        beta: Power that takes weight from the surroundings of a centre, not negative.
        reduction: ``"sum_over_batch_size"``, ``"mean"``, ``"mean_with_sample_weight"``, ``"none"`` or ``None``, which
            make no difference, as the loss is one number.
        name: Name of the loss.

    Call arguments:
        y_true: Shape ``(batch, ..., channels + 1)``: heatmaps in [0, 1], then their weight, not negative.
        y_pred: Logits, shape ``(batch, ..., channels)``.

    Returns:
        Scalar, float32 [nat], not negative.

    Raises:
        ValueError: If a power is negative or no finite number, ``y_true`` has not one channel more than ``y_pred`` or
            other sizes, ``reduction`` is another, such as ``"sum"``, or a ``sample_weight`` is given.

    Reference:
        Wagner & Rohr (2022), "EfficientCellSeg", Sec. 3.3 (focal loss on heatmaps of cell centres); the form for soft
        targets is that of CenterNet (Zhou et al. 2019, "Objects as Points").

    Example:
        One centre with logit 0 and ``alpha`` 2: ``0.25 * ln 2``.
    """

    def __init__(
        self,
        *,
        alpha: float = 2.0,
        beta: float = 4.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "heatmap_focal",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        if finite_number("alpha", alpha) < 0 or finite_number("beta", beta) < 0:
            raise ValueError(f"`alpha` and `beta` must not be negative. Received: alpha={alpha!r}, beta={beta!r}")
        self.alpha = alpha
        self.beta = beta

    def call(self, y_true, y_pred):
        heatmap, weights = split_weight(y_true, y_pred, name=type(self).__name__)
        annotated = ops.cast(weights > 0, y_pred.dtype)
        probability = ops.sigmoid(y_pred)
        # From logits without overflow: softplus(-y) is -log p, softplus(y) is -log(1 - p).
        at_centre = (1.0 - probability) ** self.alpha * ops.softplus(-y_pred)
        elsewhere = (1.0 - heatmap) ** self.beta * probability**self.alpha * ops.softplus(y_pred)
        is_centre = ops.cast(heatmap >= 1.0, y_pred.dtype)
        costs = annotated * (is_centre * at_centre + (1.0 - is_centre) * elsewhere)
        return ops.sum(costs) / ops.maximum(ops.sum(annotated * is_centre), 1.0)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}
