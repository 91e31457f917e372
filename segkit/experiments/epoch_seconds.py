"""How long the epochs of a training take."""

from __future__ import annotations

import time
from typing import Any

import keras


class EpochSeconds(keras.callbacks.Callback):
    """Remember how long every epoch took, its validation included; also over a training that is resumed."""

    STATE = ("seconds",)

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep what it shows."""
        self.seconds.append(round(time.perf_counter() - self._start, 3))
