"""The end of a training whose loss is no number any more."""

from __future__ import annotations

import math
from typing import Any

import keras

from segkit.errors import InputError


class StopDiverged(keras.callbacks.Callback):
    """End a training whose loss, validation loss or monitored score is NaN or infinite.

    Weights that gave such a loss do not recover, and every comparison with NaN is false, so that no other callback
    would notice.

    Args:
        monitor: Name of the score that chooses the epoch.

    Raises:
        InputError: At the end of the first such epoch; finished epochs before it stay in the run folder.
    """

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self._names = ("loss", "val_loss", monitor)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the losses of the epoch."""
        for name in self._names:
            value = float((logs or {}).get(name, 0.0))
            if not math.isfinite(value):
                rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
                raise InputError(
                    f"epoch {epoch + 1}: {name} is {value}: the training has diverged at a learning rate of "
                    f"{rate:.3g}; give a lower one (--learning-rate) and start again with --overwrite (in Python "
                    "learning_rate of the plan, overwrite=True)"
                )
