"""An alarm for networks that classify everything as background, or everything as foreground."""

from __future__ import annotations

import logging
from typing import Any

import keras

_LOG = logging.getLogger(__name__)


class CollapseAlarm(keras.callbacks.Callback):
    """Warn when the validation predictions have been all of one class for several epochs.

    Rare structures lead to this: classifying everything as background costs little. The alarm says what to try.

    Args:
        monitor: Name of the share of foreground among the predictions.
        patience: Epochs in a row before the alarm.

    Attributes:
        wait: Collapsed epochs in a row.
        alarms: Messages so far, for the report.
    """

    STATE = ("wait", "alarms")
    """Attributes that a resumed run must put back."""

    def __init__(self, monitor: str = "val_predicted_foreground", *, patience: int = 3) -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.wait = 0
        self.alarms: list[str] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count collapsed epochs."""
        share = (logs or {})[self.monitor]
        if 0.0 < share < 1.0:
            self.wait = 0
            return
        self.wait += 1
        if self.wait % self.patience == 0:
            what = "background" if share == 0 else "foreground"
            remedy = (
                "raise weight_limit or positive_copies, lower learning_rate, and check whether the mask fits the "
                "tomogram (shape, slice order, y direction)"
                if share == 0
                else "lower weight_limit or learning_rate, and check whether the mask's foreground is what you mean"
            )
            message = f"epoch {epoch + 1}: all validation pixels classified as {what} for {self.wait} epochs; {remedy}"
            self.alarms.append(message)
            _LOG.warning(message)
