"""An alarm for classes that a network never finds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras

_LOG = logging.getLogger(__name__)


class MissedClassAlarm(keras.callbacks.Callback):
    """Warn when the validation IoU of a class has been 0 for several epochs.

    Rare classes lead to this: leaving them out costs little. They may only need more time, so the alarm is repeated
    less and less often: after 1, 2, 4, ... times the patience.

    Args:
        monitors: Class and the name of its validation IoU in the logs.
        patience: Epochs in a row before the first alarm.

    Attributes:
        waits: Epochs in a row without a hit, by class.
        alarms: Messages so far, for the report.
    """

    STATE = ("waits", "alarms")
    """Attributes that a resumed run must put back."""

    def __init__(self, monitors: Mapping[str, str], *, patience: int = 10) -> None:
        super().__init__()
        self.monitors = dict(monitors)
        self.patience = patience
        self.waits = dict.fromkeys(self.monitors, 0)
        self.alarms: list[str] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count epochs without a hit."""
        for name, monitor in self.monitors.items():
            self.waits[name] = 0 if (logs or {})[monitor] > 0 else self.waits[name] + 1
            periods, rest = divmod(self.waits[name], self.patience)
            # The bit trick is true for powers of two.
            if periods and not rest and periods & (periods - 1) == 0:
                message = (
                    f"epoch {epoch + 1}: {name} has not been found on the validation slices for {self.waits[name]} "
                    "epochs; rare classes need more epochs, or the class is missing there"
                )
                self.alarms.append(message)
                _LOG.warning(message)
